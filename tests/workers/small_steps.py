"""The Celery application as it is, whose imports and releases take small steps."""

import django

django.setup()

from tests.smaller import work_in_small_steps  # noqa: E402
from workers.celery import app  # noqa: E402

__all__ = ["app"]

work_in_small_steps()
