"""A generative judge behind an OpenAI-compatible chat endpoint: shown both responses, it says which is better, and why."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from annotate.wire.endpoint import Completion, Endpoint, specified
from workers.reward_models import tries
from workers.reward_models.base import Compared, MediumRef, Opinion, Without
from workers.reward_models.judge_media import Part, parts, text
from workers.reward_models.judge_template import DEFAULT, PROMPT, RESPONSE, Template, schema
from workers.reward_models.reply_cache import ReplyCache, digest

# Raised whenever the same item would be sent otherwise: replies kept before are then not used.
VERSION = 1
_VERDICTS = {"A": 1, "B": -1, "C": 0}
# [[A]] as published for judges, \boxed{A} as reasoning models were trained to.
_MARKED = re.compile(r"\[\[\s*([ABC])\s*\]\]|\\boxed\{\s*(?:\\text\{\s*)?([ABC])\s*\}")
_SEEN = ("image", "video", "audio", "mesh")
_OWN_FIELDS = frozenset({"messages", "model", "response_format", "stream", "n"})


class SpecError(Exception):
    """A specification that cannot be used. The message names the field."""


@dataclass(frozen=True)
class JudgeSpec:
    """How a judge is asked. What changes replies stands in `asked`; how fast it is asked does not.

    `sees`: modalities beside text. `orders` "both" asks with either response first. `tries`: how many replies may be
    asked for until one can be read. `prices`: of a million tokens that go in and come out.
    """

    url: str
    model: str
    name: str = ""
    key_env: str = ""
    sees: tuple[str, ...] = ("image", "video", "mesh")
    form: str = "published"
    orders: str = "both"
    ties: str = "both"
    tries: int = 5
    temperature: float = 0.0
    max_tokens: int = 2048
    prompt_frames: int = 10
    response_frames: int = 5
    image_side: int = 768
    template: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 8
    per_minute: float = 0.0
    timeout: float = 120.0
    retries: int = 6
    price_in: float | None = None
    price_out: float | None = None

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """
        Raises:
            SpecError: naming the field that is unknown, missing or of another kind, and what it may be.
        """
        if not isinstance(values, dict):
            raise SpecError("a judge's specification is a mapping with url and model")
        known = {one.name: one for one in fields(cls)}
        if strange := sorted(str(name) for name in values.keys() - known.keys()):
            raise SpecError(f"{strange[0]}: no such field. There are: {', '.join(known)}")
        for name in ("url", "model"):
            if not isinstance(values.get(name), str) or not values[name]:
                raise SpecError(f"{name}: is missing")
        checked = {name: _checked(name, value) for name, value in values.items()}
        return cls(**checked)

    def __post_init__(self) -> None:
        if (self.price_in is None) != (self.price_out is None):
            raise SpecError("price_in, price_out: give both, or neither")

    @property
    def title(self) -> str:
        return self.name or self.model

    def asked(self) -> dict[str, Any]:
        """All that replies hang on besides the item: not the key, not the speed."""
        speed = ("name", "key_env", "orders", "ties", "concurrency", "per_minute", "timeout", "retries")
        left_out = {*speed, "price_in", "price_out", "tries", "sees"}
        return {name: value for name, value in asdict(self).items() if name not in left_out} | {
            "version": VERSION
        }

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """What so many tokens cost; None without prices."""
        if self.price_in is None or self.price_out is None:
            return None
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


_CHOICES = {
    "form": ("published", "structured"),
    "orders": ("both", "one"),
    "ties": ("both", "with", "without"),
}
_LEAST = {
    "tries": 1,
    "max_tokens": 1,
    "prompt_frames": 1,
    "response_frames": 1,
    "image_side": 16,
    "concurrency": 1,
    "retries": 0,
    "temperature": 0,
    "per_minute": 0,
    "timeout": 0.001,
    "price_in": 0,
    "price_out": 0,
}
_WHOLE = ("tries", "max_tokens", "prompt_frames", "response_frames", "image_side", "concurrency", "retries")


def _checked(name: str, value: Any) -> Any:
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise SpecError(f"{name}: is {value!r:.60}; must be {' or '.join(_CHOICES[name])}")
    elif name in _LEAST:
        kinds = (int,) if name in _WHOLE else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not _LEAST[name] <= value < 1e9:
            what = "a whole number" if name in _WHOLE else "a number"
            raise SpecError(f"{name}: is {value!r:.60}; must be {what} of at least {_LEAST[name]:g}")
    elif name == "sees":
        if not isinstance(value, list) or any(one not in _SEEN for one in value):
            raise SpecError(f"sees: is {value!r:.80}; must be a list of {', '.join(_SEEN)}")
        return tuple(value)
    elif name == "extra":
        if not isinstance(value, dict) or _OWN_FIELDS & value.keys():
            raise SpecError(
                f"extra: must be a mapping of further request fields, and none of {', '.join(sorted(_OWN_FIELDS))}"
            )
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise SpecError("extra: must hold nothing but JSON") from None
    elif not isinstance(value, str):
        raise SpecError(f"{name}: is {value!r:.60}; must be text")
    return value


class ChatJudge:
    """Asks an endpoint. Replies are kept by what was asked: the media by content, the words, the settings."""

    def __init__(
        self, spec: JudgeSpec, endpoint: Endpoint, cache: ReplyCache, template: Template = DEFAULT
    ) -> None:
        self.spec = spec
        self.modalities = frozenset(spec.sees)
        self.template = template.name
        self._asked = spec.asked() | {"template": template.system}
        self.revision = f"{spec.model}@{digest(self._asked)[:12]}"
        self._endpoint, self._cache, self.words = endpoint, cache, template

    @classmethod
    def from_spec(
        cls,
        spec: JudgeSpec,
        cache: ReplyCache,
        *,
        beside: Path | None = None,
        words: Template | None = None,
    ) -> Self:
        """`beside`: where the template's file is looked for. `words`: in its place, the template itself.

        Raises:
            SpecError: the key's variable is not set, the address is none, the template cannot be read.
        """
        endpoint = connected(spec)
        if words or not spec.template:
            return cls(spec, endpoint, cache, words or DEFAULT)
        path = (beside or Path()) / spec.template
        try:
            return cls(spec, endpoint, cache, Template(path.name, path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"template: {path} cannot be read ({error})") from None
        except ValueError as error:
            raise SpecError(f"template: {path}: {error}") from None

    def stop(self) -> None:
        """Nobody wants its opinions any more: what waits to be sent is not."""
        self._endpoint.stop()

    def judge(self, item: Compared, *, ties: bool) -> Opinion:
        """See base.Judge. A reply that cannot be read is asked for again, as often as the specification says."""
        if unseen := sorted(item.modalities - self.modalities):
            return Opinion(without=Without.UNSUPPORTED, detail=f"it is not shown {', '.join(unseen)}")
        structured = self.spec.form == "structured"
        named = {"judge": self._asked, "item": named_by_content(item), "ties": ties}
        found = tries.ask(
            self._endpoint,
            self._cache,
            named,
            lambda: self._body(item, ties),
            lambda reply: read(reply, structured=structured, ties=ties),
            self.spec.tries,
        )
        return Opinion(
            found.value,
            found.without,
            found.detail,
            found.said,
            found.tokens_in,
            found.tokens_out,
            found.spent_in,
            found.spent_out,
            found.replies,
        )

    def _body(self, item: Compared, ties: bool) -> dict[str, Any]:
        structured = self.spec.form == "structured"
        system = self.words.fill(item.criterion, ties=ties, structured=structured)
        body: dict[str, Any] = {
            "model": self.spec.model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": shown(item, self.spec)},
            ],
            "temperature": self.spec.temperature,
            "max_tokens": self.spec.max_tokens,
            **self.spec.extra,
        }
        return body | {"response_format": schema(ties=ties)} if structured else body


def connected(spec: JudgeSpec) -> Endpoint:
    """The endpoint that a specification names, with its key from the environment.

    Raises:
        SpecError: the key's variable is not set, or the address is none.
    """
    try:
        return specified(spec)
    except ValueError as error:
        raise SpecError(str(error)) from None


def shown(item: Compared, spec: JudgeSpec) -> list[Part]:
    """The user turn: the prompt with its media, then the first side as A and the second as B.

    Raises:
        ValueError: a medium cannot be opened.
    """
    content = [text(f"{PROMPT}\n{item.prompt_text}".rstrip())]
    for medium in item.prompt_media:
        content += _medium(medium, spec, spec.prompt_frames)
    for letter, side in (("A", item.first), ("B", item.second)):
        content.append(text(f"{RESPONSE.format(letter=letter)}\n{side.text}".rstrip()))
        if side.medium:
            content += _medium(side.medium, spec, spec.response_frames)
    return content


def _medium(medium: MediumRef, spec: JudgeSpec, frames: int) -> list[Part]:
    try:
        return parts(medium, side=spec.image_side, frames=frames)
    except Exception as error:  # whatever a decoder throws is an error of this item, and of no other
        raise ValueError(f"{medium.modality} {medium.sha256.hex()[:12]} cannot be opened: {error}") from error


def read(reply: Completion, *, structured: bool, ties: bool) -> tuple[int | None, str, str]:
    """(verdict, rationale, why there is no verdict). A reply that names both sides names none."""
    said = reply.text.strip()
    if structured:
        try:
            found = json.loads(said)
            letters, rationale = {found["verdict"]}, str(found.get("rationale", ""))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None, said, "it is not the JSON that was asked for"
    else:
        letters, rationale = {one or other for one, other in _MARKED.findall(said)}, said
    if len(letters) > 1:
        return None, rationale, f"it names {' and '.join(sorted(map(str, letters)))}"
    if not letters:
        ended = " It was cut off: raise max_tokens." if reply.finish == "length" else ""
        return None, rationale, f"it names no verdict.{ended}"
    letter = letters.pop()
    if letter not in _VERDICTS or (letter == "C" and not ties):
        return None, rationale, f"its verdict is {letter!r:.40}, which was not offered"
    return _VERDICTS[letter], rationale, ""


def named_by_content(item: Compared) -> list[Any]:
    """An item by its content: what a judge is shown, and in which order."""
    media = [(medium.modality, medium.sha256.hex()) for medium in item.prompt_media]
    sides = [
        (side.text, (side.medium.modality, side.medium.sha256.hex()) if side.medium else None)
        for side in (item.first, item.second)
    ]
    return [item.prompt_text, item.criterion, media, sides]
