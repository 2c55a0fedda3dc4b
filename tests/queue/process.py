"""Entries of spawned processes of annotators. They import Django only once they are told on which database to work."""

import os
from typing import Any


def _on(database: str, threads: int) -> None:
    # Each thread keeps a connection; those that it starts for a moment share the rest.
    os.environ["DATABASE_POOL"] = str(threads + 8)
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    django.setup()


def run(database: str, annotators: list[int], threads: int, seed: int, start: Any, results: Any) -> None:
    """Put the log of annotators who begin when all processes have come to the barrier `start`."""
    _on(database, threads)
    from tests.queue.annotators import work_off

    start.wait()
    results.put(work_off(annotators, threads, seed))


def everything(
    database: str, project: int, seed: int, seconds: float, judges: int, start: Any, results: Any
) -> None:
    """Put what came of annotators, or without any of the staff, who begin when all have come to the barrier `start`."""
    _on(database, judges or 7)
    from tests.queue.everything import work

    start.wait()
    results.put(work(project, seed, seconds, judges))
