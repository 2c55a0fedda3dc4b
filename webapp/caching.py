"""What may be kept of an answer, where the view does not say."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase


def kept_by_nobody(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: answers are for one user at one moment, and no browser or proxy keeps them."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return middleware
