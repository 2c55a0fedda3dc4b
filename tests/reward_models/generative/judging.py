"""A tiny language model that has been taught to answer as a judge does, right half of the time."""

from pathlib import Path

import numpy as np
import torch

from tests.reward_models.large import tiny
from workers.reward_models.base import Compared, Side, Verdicts
from workers.reward_models.generative.local import load_talker
from workers.reward_models.generative.settings import JudgeSettings
from workers.reward_models.generative.talker import Reply

TEMPLATE = "{criterion} {verdicts}"
SAID = ("x [[A]]", "x [[B]]", "x [A]", "x B")


def comparisons(count: int) -> tuple[list[Compared], Verdicts]:
    """The loud side wins."""
    rng = np.random.default_rng(3)
    items, verdicts = [], []
    for n in range(count):
        first = bool(rng.integers(2))
        sides = Side("UUUU" if first else "u"), Side("u" if first else "UUUU")
        items.append(Compared(f"p{n}", "loud", *sides))
        verdicts.append(1 if first else -1)
    return items, np.array(verdicts, dtype=np.int8)


def taught(folder: Path, steps: int = 60) -> Path:
    """A checkpoint in `folder`: a tiny Qwen2 that says one of SAID, by chance. Its template is beside it."""
    tiny.make(folder, "qwen2")
    (folder / "template.txt").write_text(TEMPLATE)
    settings = JudgeSettings.from_json(
        {"backbone": str(folder), "method": "full", "template": str(folder / "template.txt")}
    )
    talker = load_talker(settings)
    model = talker.model.model
    model.requires_grad_()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    items, _ = comparisons(8)
    prompts = talker.prompts(items)
    replies = [
        Reply((*talker.model.tokenizer.encode(said, add_special_tokens=False).ids, talker.end), True)
        for said in SAID
    ]
    for step in range(steps):
        shown = [prompts[(step + n) % len(prompts)] for n in range(len(replies))]
        found, mask = talker.log_probs(shown, replies)
        optimizer.zero_grad()
        (-found.sum() / mask.sum()).backward()
        optimizer.step()
    model.save_pretrained(folder)
    return folder
