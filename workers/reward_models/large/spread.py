"""Processes of one machine that train together: started, let meet, heard and ended.

What the first of them tells goes through a file to the process that has started them, whose listener may end it all.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from workers.reward_models import progress

_FILE = "told.jsonl"
_EVERY = 0.5  # seconds
# Says something of a kind, which who has started the processes hears.
Say = Callable[..., None]


def run(
    worker: Callable[..., None],
    asked: tuple[Any, ...],
    processes: int,
    place: Path,
    hears: Mapping[str, Callable[..., None]],
) -> None:
    """Run `worker(rank, *asked)` in so many processes to their end.

    Whatever is raised where something is heard ends the processes, and is raised.

    Args:
        place: a folder that all of them see.
        hears: by kind what is called with what the first process says; its progress is told on besides.
    """
    said = _Said(place / _FILE, {"progress": progress.tell, **hears})
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
    """Whole lines that were written since the last time."""

    def __init__(self, path: Path, hears: Mapping[str, Callable[..., None]]) -> None:
        self._path, self._hears, self._read = path, hears, 0

    def relay(self) -> None:
        if not self._path.is_file():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            kind, *told = json.loads(line)
            if hear := self._hears.get(kind):
                hear(*told)


@contextmanager
def telling(rank: int, place: Path) -> Iterator[Say]:
    """Within, what the first process tells of its progress is written down for who has started it, and so is what it says by
    what this gives. The others say nothing."""
    if rank:
        yield lambda kind, *told: None
        return
    with (place / _FILE).open("a", encoding="utf-8", buffering=1) as file:

        def say(kind: str, *told: Any) -> None:
            file.write(json.dumps((kind, *told)) + "\n")

        with progress.heard_by(lambda *told: say("progress", *told)):
            yield say


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


def summed(tensor: Tensor, world: int) -> Tensor:
    """The sum over all processes, in each of them."""
    if world > 1:
        dist.all_reduce(tensor)
    return tensor
