"""Session login for the API, answering 401 where Django REST framework would say 403."""

from drf_spectacular.authentication import SessionScheme
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request


class BrowserSession(SessionAuthentication):
    """A client that was logged out must know it from one that may not: it logs in again and sends again."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"


class BrowserSessionScheme(SessionScheme):
    """How the OpenAPI schema tells of it."""

    target_class = "webapp.api.auth.BrowserSession"
