"""Prepares a project's media whenever it is told, each time in a child of its own that kills itself at a named point.

It has imported everything beforehand. Speaks lines: "JOB POINT" comes in, the child's process id and exit status go
out. The points, of which `points_of` knows the names, lie between what the product does; it knows none of them.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

BOOT = Path(__file__).with_name("stopping_boot.py")
NEVER = "never"


def points_of(kinds: tuple[str, ...]) -> list[str]:
    """In the order of the work: the last one leaves a file prepared, the others leave nothing done."""
    return [
        *(f"making {kind}" for kind in kinds),
        "folder noted",
        *(f"file {number} stored" for number, _ in enumerate(kinds, 1)),
        "before rows",
        "before commit",
        "after commit",
    ]


def stop_at(point: str) -> None:
    """Patch what is called around each point, in this process."""
    from annotate import derivatives, media
    from annotate.modalities import sandbox

    def at(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(module: Any, name: str, before: Any = None, after: Any = None) -> None:
        real = getattr(module, name)

        def wrapped(*args: Any) -> Any:
            if before:
                before()
            result = real(*args)
            if after:
                after()
            return result

        setattr(module, name, wrapped)

    stored = iter(range(1, 1000))
    around(media, "store", lambda: at("folder noted"), lambda: at(f"file {next(stored)} stored"))
    around(derivatives, "settle_alone", before=lambda: at("before rows"))
    around(derivatives, "_make_pairs_ready", after=lambda: at("before commit"))
    around(derivatives, "_unlock", before=lambda: at("after commit"))
    sandbox._BOOT = BOOT
    answer = sandbox._Child._answer

    def answered(self: Any) -> dict[str, Any]:
        while "making" in (said := answer(self)):
            at(f"making {said['making']}")
            self._socket.send(b"\n")
        return said

    sandbox._Child._answer = answered  # type: ignore[method-assign]


def work(job: int, point: str) -> None:
    from annotate.actions.jobs import AlreadyRunning, run_job

    stop_at(point)
    while True:
        try:
            run_job(job, by_hand=True)
            return
        except AlreadyRunning:  # the server has not yet noticed that its client was killed
            time.sleep(0.1)


def main() -> None:
    import django

    django.setup()
    import annotate.derivatives  # noqa: F401

    print("ready", flush=True)
    for line in sys.stdin:
        job, point = line.strip().split(" ", 1)
        child = os.fork()
        if child == 0:
            try:
                work(int(job), point)
                os._exit(0)
            except BaseException as error:
                print(f"preparing: {error!r}", file=sys.stderr, flush=True)
                os._exit(1)
        print(child, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
