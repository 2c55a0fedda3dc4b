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


def send_on_commit(
    task: str,
    *args: Any,
    queue: str = "default",
    time_limit: int | None = None,
    expires: int | None = None,
) -> None:
    """Queue `task` (its registered name) with JSON-able arguments after the commit.

    `time_limit`: seconds after which its worker is ended, where the settings' limit is too short. `expires`: seconds after
    which nobody needs it any more.
    """
    limits = {"time_limit": time_limit, "soft_time_limit": time_limit - 60} if time_limit else {}
    limits |= {"expires": expires} if expires else {}

    def send() -> None:
        try:
            current_app.send_task(task, args=args, queue=queue, retry=False, **limits)
        except (OperationalError, OSError) as error:
            log.warning("broker down, left to the sweeper", task=task, error=str(error))

    transaction.on_commit(send)
