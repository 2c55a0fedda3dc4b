"""Pages and API answers compressed. Files are not: static ones are stored so, and media are asked for in ranges."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class CompressAnswers(GZipMiddleware):
    """Django's own, which hides the true length by some random bytes; what streams is left alone."""

    def process_response(self, request: HttpRequest, response: Any) -> HttpResponseBase:
        return response if response.streaming else super().process_response(request, response)
