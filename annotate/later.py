"""Follow-up work, sent by name once the transaction has committed.

The domain does not import the workers. A lost message is no loss: what it asks for stands on a row that the
sweeper finds, so a broker that is down must not fail the request.
"""

from typing import Any

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def send_on_commit(task: str, *args: Any, queue: str = "default") -> None:
    """Queue `task` (its registered name) with JSON-able arguments after the commit."""

    def send() -> None:
        try:
            current_app.send_task(task, args=args, queue=queue, retry=False)
        except (OperationalError, OSError) as error:
            log.warning("broker down, left to the sweeper", task=task, error=str(error))

    transaction.on_commit(send)
