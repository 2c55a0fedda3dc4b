"""TRL's RewardTrainer takes a step on the training rows of a release: run in the consumers' environment.

    python trl_step.py DIR

The model is a tiny one made here: what is looked at is that the rows are what the trainer takes, not what it learns, and that
its loss is the one that our own training has.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from accelerate.commands.config.config_args import load_config_from_file
from datasets import load_dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast
from trl import RewardConfig, RewardTrainer

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

TEMPLATE = "{% for message in messages %}{{ message['role'] }} : {{ message['content'] }} <eos> {% endfor %}"


def words(texts: list[str]) -> PreTrainedTokenizerFast:
    """A tokenizer that knows these words."""
    told = sorted({word for text in texts for word in text.split()} | {"system", "user", "assistant", ":"})
    vocabulary = {word: at for at, word in enumerate(["<pad>", "<eos>", "<unk>", *told])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )
    made.chat_template = TEMPLATE
    return made


def main(release: Path) -> None:
    with TemporaryDirectory() as scratch:
        rows = load_dataset(str(release), "train_text_to_text", split="train", cache_dir=scratch)
        said = [turn["content"] for row in rows for turn in row["prompt"] + row["chosen"] + row["rejected"]]
        tokenizer = words(said)
        model = LlamaForSequenceClassification(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                num_labels=1,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        )
        before = [one.detach().clone() for one in model.parameters()]
        trainer = RewardTrainer(
            model=model,
            args=RewardConfig(
                output_dir=scratch,
                max_steps=1,
                per_device_train_batch_size=len(rows),
                learning_rate=1e-2,
                report_to=[],
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                save_strategy="no",
                disable_tqdm=True,
            ),
            processing_class=tokenizer,
            train_dataset=rows,
        )
        apart = losses_apart(trainer, model)
        assert apart < 1e-6, apart
        loss = trainer.train().training_loss
        assert loss == loss and 0 < loss < 5, loss
        assert trainer.state.global_step == 1
        moved = sum(bool((one != old).any()) for one, old in zip(model.parameters(), before, strict=True))
        assert moved, "the step changed nothing"
        for name in ("ddp", "fsdp"):
            shipped = load_config_from_file(str(ROOT / f"docs/examples/accelerate-{name}.yaml"))
            assert shipped.num_processes == 8 and name.upper() in ("DDP", str(shipped.distributed_type)[-4:])
        print(
            f"TRL: one step on {len(rows)} rows, loss {loss:.3f}, of which ours is {apart:.0e} apart; both launch"
            " configurations are read"
        )


def losses_apart(trainer: RewardTrainer, model: torch.nn.Module) -> float:
    """Between TRL's loss of a batch and ours (Bradley-Terry) of the same model's values of the same tokens."""
    from workers.reward_models.large.training import pair_loss

    batch = next(iter(trainer.get_train_dataloader()))
    model.eval()  # no dropout
    with torch.no_grad():
        theirs = trainer.compute_loss(model, dict(batch))
        asked = {name: batch[name] for name in ("input_ids", "attention_mask")}
        chosen, rejected = model(**asked).logits[:, 0].chunk(2)
        margins = chosen - rejected
        ours = pair_loss(margins, torch.ones_like(margins), None).mean()
        assert len(margins) > 1 and margins.std() > 0
        # The other order is the other verdict.
        turned = pair_loss(-margins, -torch.ones_like(margins), None).mean()
    model.train()
    return max(abs(float(theirs - ours)), abs(float(theirs - turned)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
