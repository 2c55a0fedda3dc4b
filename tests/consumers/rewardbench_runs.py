"""The `rewardbench` command runs over a release's text pairs: run in an environment of its own (RewardBench's).

    python rewardbench_runs.py DIR

As `rewardbench --dataset FILE --load_json --not_quantized --torch_dtype float32 --model DIR`, its own main function with a
tiny classifier made here: what is looked at is that every row gets there as it stands, not what the model says. Two things of
it are changed. It imports wandb, which only its option --wandb_run uses: an empty module stands in its place. And it sends what it
tokenized to "cuda", whatever there is: without one that stays where it is.
"""

import json
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

os.environ |= {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}

import accelerate  # noqa: F401  looks for the real wandb first
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BatchEncoding, LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

wandb = ModuleType("wandb")
wandb.__spec__ = ModuleSpec("wandb", None)
sys.modules["wandb"] = wandb

from rewardbench.rewardbench import main as command  # noqa: E402  after its stand-in

if not torch.cuda.is_available():
    BatchEncoding.to = lambda self, *args, **kwargs: self

TEMPLATE = "{% for message in messages %}{{ message['role'] }} : {{ message['content'] }} <eos> {% endfor %}"


def model_into(folder: Path, texts: list[str]) -> None:
    told = sorted({word for text in texts for word in text.split()} | {"system", "user", "assistant", ":"})
    vocabulary = {word: at for at, word in enumerate(["<pad>", "<eos>", "<unk>", *told])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )
    made.chat_template = TEMPLATE
    made.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(made),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_labels=1,
        pad_token_id=made.pad_token_id,
        eos_token_id=made.eos_token_id,
    )
    LlamaForSequenceClassification(config).save_pretrained(folder)


def main(release: Path) -> None:
    total = 0
    for path in sorted((release / "rewardbench").glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        said = [turn["content"] for row in rows for turn in row["chosen"] + row["rejected"]]
        with TemporaryDirectory() as scratch:
            os.chdir(scratch)
            model_into(Path("tiny"), said)
            sys.argv = ["rewardbench", "--dataset", str(path), "--load_json", "--model", "tiny"]
            sys.argv += [
                "--not_quantized",
                "--torch_dtype",
                "float32",
                "--output_dir",
                "results/",
                "--batch_size",
                "4",
            ]
            command()
            told = json.loads(Path("results/tiny.json").read_text())
            lines = Path("results/tiny_outputs.jsonl").read_text().splitlines()
            scored = [json.loads(line) for line in lines]
            check(rows, scored, told)
            os.chdir("/")
        total += len(rows)
    assert total, "no rows"
    print(f"rewardbench: {total} pairs scored")


def check(rows: list[dict], scored: list[dict], told: dict) -> None:
    """Every row was scored, in our words: criterion as system turn, chosen and rejected where they belong."""
    assert told["num_prompts"] == len(rows) == len(scored)
    right = [one["scores_chosen"] > one["scores_rejected"] for one in scored]
    assert told["accuracy"] == sum(right) / len(rows)
    for row, one in zip(rows, scored, strict=True):
        for side in ("chosen", "rejected"):
            words = "".join(f"{turn['role']} : {turn['content']} <eos> " for turn in row[side])
            assert one[f"text_{side}"].split() == words.split(), (one, row)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
