"""Is this process able to serve? Asked by supervisors and load balancers, without an account."""

import time
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError as BrokerError
from psycopg_pool import ConnectionPool
from redis.backoff import NoBackoff
from redis.retry import Retry

from workers.celery import app

PATIENCE = 2.0  # seconds for the database, and for Redis
WORKERS_PATIENCE = 0.5
_REMEMBERED = 5.0  # seconds for which the workers' answer is good: each question goes to all of them

_redis = redis.Redis.from_url(
    settings.REDIS_URL, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE, retry=Retry(NoBackoff(), 0)
)
_asked_workers = (float("-inf"), "")  # when, by time.monotonic(), and what came of it


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """200 if the database answers, else 503; in five seconds at most.

    Redis and the workers are told of and change nothing in that: without them people annotate on, and no
    load balancer mends it by sending them elsewhere.
    """
    found = {"database": _database()}
    if found["database"] == "down":
        return JsonResponse(found, status=503, headers={"Retry-After": "5"})
    found["redis"] = _broker()
    found["workers"] = _workers() if found["redis"] == "up" else "unknown"
    return JsonResponse(found)


def _database() -> str:
    """By a connection of the pool, like every request, but without its long patience."""
    try:
        pool: ConnectionPool[Any] = connection.pool  # type: ignore[attr-defined]
        pool.open()
        with pool.connection(timeout=PATIENCE) as taken:
            taken.execute("SELECT 1")
    except (DatabaseError, psycopg.Error):
        return "down"
    return "up"


def _broker() -> str:
    try:
        _redis.ping()
    except redis.RedisError:
        return "down"
    return "up"


def _workers() -> str:
    """Whether any worker answers."""
    global _asked_workers
    when, answer = _asked_workers
    if time.monotonic() - when > _REMEMBERED:
        try:
            answer = "up" if app.control.ping(timeout=WORKERS_PATIENCE, limit=1) else "down"
        except (OSError, BrokerError):
            answer = "unknown"
        _asked_workers = (time.monotonic(), answer)
    return answer
