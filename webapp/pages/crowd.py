"""Where participants of a study on Prolific come in, and the list of them for who manages the project.

How an account is kept from whoever writes other people's ids: annotate/actions/crowd.py.
"""

import secrets

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from annotate.access import Deed, Denied, Unknown
from annotate.actions.crowd import Elsewhere, begin, check_ids
from annotate.members import arrivals_with_judged, judged_of, open_to_crowd
from annotate.models import CrowdArrival
from annotate.sheets import csv_text
from webapp.pages.projects import project_or_404

_COOKIE = "crowd"
_DAYS = 90


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def arrive(request: HttpRequest, slug: str) -> HttpResponse:
    """What the study is; by POST, in. A wrong key and a project that there is not are answered alike."""
    key = request.GET.get("key", "")
    project = open_to_crowd(slug, key).first()
    if project is None:
        return _refused(request, "closed", 404)
    ids = [request.GET.get(name, "") for name in ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")]
    try:
        check_ids(*ids)
    except ValidationError:
        return _refused(request, "ids", 400)
    browser = request.get_signed_cookie(_COOKIE, "", salt=_salt(slug), max_age=_DAYS * 86400)
    if request.method == "POST":
        if not browser:
            return _refused(request, "cookies", 400)
        participant, study, session = ids
        try:
            arrival = begin(
                slug=slug,
                key=key,
                participant=participant,
                study=study,
                session=session,
                browser=browser,
            )
        except Unknown:
            return _refused(request, "closed", 404)
        except Elsewhere:
            return _refused(request, "elsewhere", 403)
        except Denied:
            return _refused(request, "out", 403)
        login(request, arrival.user, backend="webapp.sessions.Accounts")
        return HttpResponseRedirect(reverse("judge", args=[slug]))
    response = render(request, "crowd.html", {"project": project})
    if not browser:
        # Before they begin: whoever posts twice is one browser both times.
        response.set_signed_cookie(
            _COOKIE,
            secrets.token_urlsafe(24),
            salt=_salt(slug),
            max_age=_DAYS * 86400,
            path=reverse("crowd", args=[slug]),
            secure=settings.HTTPS,
            httponly=True,
            samesite="Lax",
        )
    return response


def _salt(slug: str) -> str:
    return f"crowd {slug}"


def _refused(request: HttpRequest, why: str, status: int) -> HttpResponse:
    return render(request, "crowd_refused.html", {"why": why, "status": status}, status=status)


@require_safe
@login_required
@never_cache
def arrivals(request: HttpRequest, slug: str) -> HttpResponse:
    """Everybody who came from Prolific, as CSV: whom to pay, and whom not."""
    project = project_or_404(request, slug, Deed.MANAGE)
    found = arrivals_with_judged(CrowdArrival.objects.filter(project=project)).order_by("pk")
    rows = []
    for one in found:
        judged = judged_of(one, one.judged_pairs or 0)  # type: ignore[attr-defined]
        done = "yes" if judged >= one.pairs else "no"
        rows.append(
            [one.participant, one.study, one.session, one.begun_at.isoformat(), one.pairs, judged, done]
        )
    header = ["participant", "study", "session", "begun_at", "pairs", "judged", "done"]
    return HttpResponse(
        csv_text(header, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{slug}-arrivals.csv"'},
    )
