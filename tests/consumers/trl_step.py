"""TRL's RewardTrainer takes a step on the training rows of a release: run in the consumers' environment.

    python trl_step.py DIR

The model is a tiny one made here: what is looked at is that the rows are what the trainer takes, not what it learns.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["HF_HUB_OFFLINE"] = "1"

from datasets import load_dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast
from trl import RewardConfig, RewardTrainer

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
        loss = trainer.train().training_loss
        assert loss == loss and 0 < loss < 5, loss
        assert trainer.state.global_step == 1
        moved = sum(bool((one != old).any()) for one, old in zip(model.parameters(), before, strict=True))
        assert moved, "the step changed nothing"
        print(f"TRL: one step on {len(rows)} rows, loss {loss:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
