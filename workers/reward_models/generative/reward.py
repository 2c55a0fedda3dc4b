"""What a judge's reply is worth: a right verdict, and a form that can be read."""

import re
from dataclasses import dataclass

from annotate.wire.endpoint import Completion
from workers.reward_models.judge import read

# Reasons first, then one verdict, and nothing after it.
_FORM = re.compile(r"\s*\S.*?(\[\[[ABC]\]\]|\\boxed\{[ABC]\})\s*", re.DOTALL)


@dataclass(frozen=True)
class Worth:
    """`verdict`: what the reply said, None if nothing can be read. `formed`: reasons, then the verdict, then the end."""

    verdict: int | None
    right: bool
    formed: bool
    rationale: str

    def reward(self, format_reward: float) -> float:
        return float(self.right) + format_reward * self.formed


def worth(reply: str, label: int, *, ended: bool) -> Worth:
    """Of a reply about a comparison whose label is 1 or -1; `ended`: it came to its end by itself."""
    said = Completion(reply, "stop" if ended else "length", 0, 0)
    verdict, rationale, _ = read(said, structured=False, ties=False)
    formed = ended and verdict is not None and _FORM.fullmatch(reply) is not None
    return Worth(verdict, verdict == label, formed, rationale)
