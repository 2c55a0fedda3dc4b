"""Reading ahead: the next batch is read and checked while the database writes the one before."""

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")
_WAIT = 0.2  # seconds between looks at whether anybody still wants more
# Seconds that a thread keeps the interpreter while the other asks for it. The writer asks after each word with the database,
# many times a batch; by Python's own 5 ms the database would stand idle for as long as it works.
_TURN = 0.0005


@contextmanager
def ahead(items: Generator[T, None, None]) -> Iterator[Iterator[T]]:
    """The items, made in a thread that is one item ahead. What it raises is raised where the item is taken.

    The thread ends with the block, however the block ends.
    """
    made: Queue[tuple[T | None, BaseException | None]] = Queue(maxsize=1)
    stopped = Event()

    def hand_over(item: T | None, error: BaseException | None = None) -> bool:
        while not stopped.is_set():
            try:
                made.put((item, error), timeout=_WAIT)
                return True
            except Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not hand_over(item):
                    return
            hand_over(None)
        except BaseException as error:  # raised again by whoever takes the next item
            hand_over(None, error)
        finally:
            items.close()

    def take() -> Iterator[T]:
        while True:
            try:
                item, error = made.get(timeout=_WAIT)
            except Empty:
                if thread.is_alive() or not made.empty():
                    continue
                return
            if error:
                raise error
            if item is None:
                return
            yield item

    thread = Thread(target=work, name="import reader", daemon=True)
    turn = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    thread.start()
    try:
        yield take()
    finally:
        stopped.set()
        thread.join()
        sys.setswitchinterval(turn)
