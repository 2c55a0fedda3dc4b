"""Entry of a spawned process of annotators. Imports Django only once it is told on which database to work."""

import os
from typing import Any


def run(database: str, annotators: list[int], threads: int, seed: int, results: Any) -> None:
    os.environ["DATABASE_POOL"] = str(threads + 4)
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    django.setup()
    from tests.queue.annotators import work_off

    results.put(work_off(annotators, threads, seed))
