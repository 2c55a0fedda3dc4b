"""Processes of one machine that train together: started, let meet, heard and ended.

What the first of them tells of its progress goes through a file to the process that has started them, whose listener may end
it all.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from workers.reward_models import progress
from workers.reward_models.large.looks import Told

_FILE = "told.jsonl"
_EVERY = 0.5  # seconds


def run(
    worker: Callable[..., None], asked: tuple[Any, ...], processes: int, place: Path, told: Told | None = None
) -> None:
    """Run `worker(rank, *asked)` in so many processes to their end. `place`: a folder that all of them see.

    Whatever a listener raises ends the processes, and is raised.
    """
    said = _Said(place / _FILE, told)
    context = torch.multiprocessing.spawn(worker, asked, nprocs=processes, join=False)
    try:
        while not context.join(timeout=_EVERY):
            said.relay()
        said.relay()
    finally:
        for process in context.processes:
            if process.is_alive():
                process.terminate()
                process.join()


class _Said:
    """Whole lines that were written since the last time, told on."""

    def __init__(self, path: Path, told: Told | None) -> None:
        self._path, self._told, self._read = path, told, 0

    def relay(self) -> None:
        if not self._path.is_file():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            done, total, step, figures = json.loads(line)
            progress.tell(done, total, step, figures)
            if self._told and "loss" in figures:
                self._told(done, total, figures["loss"])


@contextmanager
def telling(rank: int, place: Path) -> Iterator[None]:
    """Within, what the first process tells is written down for who has started it."""
    if rank:
        yield
        return
    with (place / _FILE).open("a", encoding="utf-8", buffering=1) as file:

        def written(*told: Any) -> None:
            file.write(json.dumps(told) + "\n")

        with progress.heard_by(written):
            yield


@contextmanager
def meeting(rank: int, processes: int, place: Path, device: torch.device) -> Iterator[None]:
    """Within, this process is one of a group: over nccl where each has a GPU of its own, else over gloo."""
    apart = device.type == "cuda" and torch.cuda.device_count() >= processes
    if device.type == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // processes))
    dist.init_process_group(
        "nccl" if apart else "gloo",
        init_method=f"file://{place / 'meeting'}",
        rank=rank,
        world_size=processes,
    )
    try:
        yield
    finally:
        dist.destroy_process_group()
