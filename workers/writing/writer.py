"""The model that writes: shown a pair, it proposes criteria and says which response wins by each."""

import json
import re
from dataclasses import dataclass
from typing import Any, Self

from annotate.wire.endpoint import Completion, Endpoint
from workers.reward_models import tries
from workers.reward_models.base import Compared, Without
from workers.reward_models.judge import JudgeSpec, connected, named_by_content, shown
from workers.reward_models.reply_cache import ReplyCache
from workers.reward_models.tries import Tried
from workers.writing import words

# Raised whenever the same pair would be asked about otherwise: replies kept before are then not used.
VERSION = 1


@dataclass(frozen=True, slots=True)
class Written:
    """One criterion of a reply. `letter`: A, the side shown first, or B. `problem`: why it cannot be used."""

    text: str
    letter: str
    why: str
    problem: str = ""


class ChatWriter:
    """Asks an endpoint for criteria, `per_side` for each side that is asked for. Threads share one."""

    def __init__(
        self, spec: JudgeSpec, endpoint: Endpoint, cache: ReplyCache, template: str, per_side: int
    ) -> None:
        self.spec, self._endpoint, self._cache = spec, endpoint, cache
        self._template, self._per_side = template, per_side
        self._asked = spec.asked() | {"writes": template, "per_side": per_side, "writer": VERSION}

    @classmethod
    def from_spec(cls, spec: JudgeSpec, cache: ReplyCache, template: str, per_side: int) -> Self:
        """
        Raises:
            SpecError: the key's variable is not set, or the address is none.
        """
        return cls(spec, connected(spec), cache, template, per_side)

    def stop(self) -> None:
        """Nobody wants anything written any more: what waits to be sent is not."""
        self._endpoint.stop()

    def write(self, item: Compared, letters: tuple[str, ...]) -> Tried[list[Written]]:
        """Criteria under which these sides win: A the first, B the second.

        Raises:
            JudgeBroken: it can be asked about no pair.
        """
        if unseen := sorted(item.modalities - set(self.spec.sees)):
            return Tried(without=Without.UNSUPPORTED, detail=f"it is not shown {', '.join(unseen)}")
        return tries.ask(
            self._endpoint,
            self._cache,
            {"writer": self._asked, "item": named_by_content(item), "letters": letters},
            lambda: self._body(item, letters),
            read,
            self.spec.tries,
        )

    def _body(self, item: Compared, letters: tuple[str, ...]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.spec.model,
            "messages": [
                {"role": "system", "content": words.filled(self._template, self._per_side, letters)},
                {"role": "user", "content": shown(item, self.spec)},
            ],
            "temperature": self.spec.temperature,
            "max_tokens": self.spec.max_tokens,
            **self.spec.extra,
        }
        return body | {"response_format": words.schema(letters)} if self.spec.form == "structured" else body


def read(reply: Completion) -> tuple[list[Written] | None, str, str]:
    """(criteria, the reply's text, why nothing could be read of it). What stands around the JSON object is passed over."""
    said = reply.text.strip()
    begin, end = said.find("{"), said.rfind("}")
    try:
        found = json.loads(said[begin : end + 1])["criteria"]
        if not isinstance(found, list) or not found:
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        ended = " It was cut off: raise max_tokens." if reply.finish == "length" else ""
        return None, said, f"it is not the JSON that was asked for.{ended}"
    return [_one(one) for one in found], said, ""


def _one(value: Any) -> Written:
    if not isinstance(value, dict) or not isinstance(value.get("criterion"), str):
        return Written("", "", "", "it is no criterion with a text")
    text, why = storable(" ".join(value["criterion"].split())), value.get("why")
    why = storable(why.strip()) if isinstance(why, str) else ""
    letter = value.get("winner")
    if letter not in ("A", "B"):
        return Written(text, "", why, f"its winner is {letter!r:.40}, which is no side")
    return Written(text, letter, why)


def storable(text: str) -> str:
    """The text as PostgreSQL can hold it: without NUL and halves of surrogate pairs."""
    return re.sub(r"[\x00\ud800-\udfff]", "\ufffd", text)
