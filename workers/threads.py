"""Work that waits for servers, many at a time."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

_Row = TypeVar("_Row")
_Found = TypeVar("_Found")


def in_threads(
    of: Callable[[_Row], _Found], rows: Iterable[_Row], width: int, stop: Callable[[], None]
) -> Generator[tuple[int, _Found], None, None]:
    """(place, result) as they come. Few more are under way than threads, and `stop` wakes those that wait: whoever
    interrupts it waits for what was sent already, and for no more."""
    waiting = iter(enumerate(rows))
    threads = ThreadPoolExecutor(width)
    running: dict[Future[_Found], int] = {}
    try:
        while True:
            for place, row in islice(waiting, 2 * width - len(running)):
                running[threads.submit(of, row)] = place
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
    finally:
        stop()
        threads.shutdown(cancel_futures=True)
