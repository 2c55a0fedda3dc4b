"""How far a long call of a model is: whoever made the call may listen, and models that take long tell.

A training takes minutes to hours inside one call of the Protocol; what it tells stands on the job's row.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

# Hears how much is done, of how much, what it is at, and the figures of this step by name. Whatever it raises ends the call.
Listener = Callable[[int, int, str, Mapping[str, float]], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Within, what models tell in this thread is heard by `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(done: int, total: int, step: str, figures: Mapping[str, float] | None = None) -> None:
    """Say that `done` of `total` units of the work at hand are done; call it at a place where the call may be ended.

    `figures`: of this very step, "loss" and others, of which who listens may draw curves.
    """
    if listener := _listener.get():
        listener(done, total, step, figures or {})
