"""Every error of the API has one form: {"error": {"code", "detail", "field"}}."""

from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from psycopg_pool import PoolTimeout
from rest_framework import exceptions
from rest_framework.response import Response

from annotate.access import Denied, Unknown
from annotate.actions.judging import Invalid
from annotate.actions.queue import Conflict, HandFull, NotOpen


def _error(
    status: int, code: str, detail: str, field: str = "", headers: dict[str, str] | None = None
) -> Response:
    return Response(
        {"error": {"code": code, "detail": detail, "field": field}}, status=status, headers=headers
    )


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: domain errors to statuses, the database being away to 503."""
    match error:
        case Unknown() | Http404():
            return _error(404, "not_found", str(error) or _("There is no such thing for you."))
        case Denied() | PermissionDenied():
            return _error(403, "denied", str(error) or _("You may not do this."))
        case Invalid():
            return _error(400, "invalid", str(error), error.field)
        case Conflict():
            return _error(409, error.code, str(error))
        case HandFull():
            return _error(409, "hand_full", str(error))
        case NotOpen():
            return _error(409, error.code, str(error))
        case exceptions.ValidationError():
            field, detail = _first(error.detail)
            return _error(400, "invalid", detail, field)
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return _error(
                401, "logged_out", _("Log in, then send this again."), headers={"WWW-Authenticate": "Session"}
            )
        case RequestDataTooBig():
            return _error(413, "too_large", _("The request is larger than the server takes."))
        case exceptions.Throttled():
            wait = {"Retry-After": str(int(getattr(error, "wait", None) or 1))}
            return _error(429, "too_fast", str(error.detail), headers=wait)
        case exceptions.APIException():
            code = error.get_codes()
            return _error(error.status_code, code if isinstance(code, str) else "invalid", str(error.detail))
        case OperationalError() | InterfaceError() | PoolTimeout():
            return _error(
                503,
                "database_away",
                _("The database does not answer. Send this again."),
                headers={"Retry-After": "5"},
            )
    return None


def _first(detail: Any, path: str = "") -> tuple[str, str]:
    """(field, message) of the first problem in DRF's nested details: answers[1].verdict."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            if value and isinstance(key, int):  # the items of a list that are wrong, by their place
                return _first(value, f"{path}[{key}]")
            if value:
                name = "" if key == "non_field_errors" else str(key)
                return _first(value, f"{path}.{name}" if path and name else path or name)
    if isinstance(detail, list):
        for index, value in enumerate(detail):
            if isinstance(value, dict | list):
                if value:
                    return _first(value, f"{path}[{index}]")
            else:
                return path, str(value)
    return path, str(detail)
