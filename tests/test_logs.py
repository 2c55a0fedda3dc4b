"""Logs as they are written where nothing else is set: a JSON object a line."""

import json
import os
import subprocess
import sys
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.paths import ROOT

ASK = """
import django
django.setup()
import structlog
from django.test import Client
structlog.get_logger("evenhand.test").warning("something", count=3)
Client().post("/health", HTTP_HOST="localhost")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("evenhand.test").exception("broken")
"""


def test_a_line_has_time_level_event_and_request() -> None:
    environ = os.environ | {"LOG_FORMAT": "json", "REQUEST_LOG_LEVEL": "INFO"}
    said = subprocess.run(
        [sys.executable, "-c", ASK], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    ).stderr
    lines: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines()]
    for line in lines:
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() is not None
        assert line["level"] and line["event"] and line["logger"]
    plain, *_, broken = lines
    assert {key: plain[key] for key in ("event", "level", "logger", "count")} == {
        "event": "something",
        "level": "warning",
        "logger": "evenhand.test",
        "count": 3,
    }
    assert "ZeroDivisionError" in broken["exception"]
    (of_request,) = {line["request_id"] for line in lines if "request_id" in line}
    assert UUID(of_request)
    events = [line["event"] for line in lines if line.get("request_id") == of_request]
    assert events[0] == "request_started" and events[-1] == "request_finished"
