"""The page of a login that did not come about."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def refused(request: HttpRequest, detail: str, status: int = 403) -> HttpResponse:
    return render(request, "login_refused.html", {"detail": detail, "status": status}, status=status)
