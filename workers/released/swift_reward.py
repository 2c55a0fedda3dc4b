"""The reward of a judge's replies for ms-swift's GRPO: a right verdict is worth 1, a well-formed reply 0.1 more.

    swift rlhf --rlhf_type grpo --external_plugins reward.py --reward_funcs evenhand_verdict ...

This file is copied beside the rows and runs in ms-swift's environment alone, so it stands by itself; a test holds it against
our own (workers/reward_models/generative/reward.py). `solution` is the letter of the better response.
"""

import re

_VERDICT = re.compile(r"\[\[\s*([ABC])\s*\]\]|\\boxed\{\s*(?:\\text\{\s*)?([ABC])\s*\}")
_FORM = re.compile(r"\s*\S.*?(\[\[[ABC]\]\]|\\boxed\{[ABC]\})\s*", re.DOTALL)
FORMAT_REWARD = 0.1


def reward(reply: str, solution: str, *, ended: bool = True) -> float:
    """Of one reply; `ended`: it was not cut at the longest that it may be."""
    said = {first or second for first, second in _VERDICT.findall(reply)}
    verdict = said.pop() if len(said) == 1 else None
    if verdict == "C":
        verdict = None
    formed = ended and verdict is not None and _FORM.fullmatch(reply) is not None
    return float(verdict == solution) + FORMAT_REWARD * formed


def register() -> None:
    from swift.rewards import ORM, orms

    class Verdict(ORM):
        def __call__(self, completions, solution, **others):
            cut = others.get("is_truncated") or [False] * len(completions)
            return [
                reward(reply, right, ended=not over)
                for reply, right, over in zip(completions, solution, cut, strict=True)
            ]

    orms["evenhand_verdict"] = Verdict


if __name__ != "workers.released.swift_reward":
    register()
