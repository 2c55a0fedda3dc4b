"""Entry of a spawned process of annotators. Imports Django only once it is told on which database to work."""

import os
from typing import Any


def run(database: str, annotators: list[int], threads: int, seed: int, start: Any, results: Any) -> None:
    """Put the log of annotators who begin when all processes have come to the barrier `start`."""
    # Each thread keeps a connection; those that it starts for a moment share the rest.
    os.environ["DATABASE_POOL"] = str(threads + 8)
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    django.setup()
    from tests.queue.annotators import work_off

    start.wait()
    results.put(work_off(annotators, threads, seed))
