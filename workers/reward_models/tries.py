"""Asking a chat endpoint the same again until its reply can be read. Every reply is kept by what was asked."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from annotate.wire.endpoint import Completion, Endpoint, EndpointBroken, EndpointError
from workers.reward_models.base import JudgeBroken, Without
from workers.reward_models.reply_cache import ReplyCache, digest

T = TypeVar("T")

# What a reply says, or None; what it was read from, in words; and why nothing was read.
Read = Callable[[Completion], tuple[T | None, str, str]]


@dataclass(frozen=True, slots=True)
class Tried(Generic[T]):
    """What was read, or why nothing was. Tokens are counted as in base.Opinion."""

    value: T | None = None
    without: Without | None = None
    detail: str = ""
    said: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    spent_in: int = 0
    spent_out: int = 0
    replies: int = 0


def ask(
    endpoint: Endpoint,
    cache: ReplyCache,
    named: Mapping[str, Any],
    body: Callable[[], dict[str, Any]],
    read: Read[T],
    tries: int,
) -> Tried[T]:
    """What is read from the first reply that can be read, of at most so many.

    Args:
        named: all that the reply hangs on, as JSON: what is asked under the same name again comes from `cache`.
        body: makes the request, where one must be sent. A ValueError or OSError of it is this question's error.

    Raises:
        JudgeBroken: it answers nothing.
    """
    made: dict[str, Any] | None = None
    tokens_in = tokens_out = spent_in = spent_out = replies = 0
    said = problem = ""
    for attempt in range(tries):
        key = digest({**named, "attempt": attempt})
        kept = cache.get(key)
        if kept is None:
            try:
                made = made or body()
                found = endpoint.complete(made | {"seed": attempt})
            except EndpointBroken as error:
                raise JudgeBroken(str(error)) from None
            except (EndpointError, OSError, ValueError) as error:
                counted = (tokens_in, tokens_out, spent_in, spent_out, replies)
                return Tried(None, Without.ERROR, str(error)[:500], "", *counted)
            cache.put(key, asdict(found))
            spent_in, spent_out = spent_in + found.tokens_in, spent_out + found.tokens_out
        else:
            found = Completion(**kept)
        replies += 1
        tokens_in, tokens_out = tokens_in + found.tokens_in, tokens_out + found.tokens_out
        value, said, problem = read(found)
        if value is not None:
            return Tried(value, None, "", said, tokens_in, tokens_out, spent_in, spent_out, replies)
    return Tried(None, Without.UNREADABLE, problem, said, tokens_in, tokens_out, spent_in, spent_out, replies)
