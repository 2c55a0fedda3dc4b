"""Consent: the page that asks an annotator, and the one on which managers write the text and see who agreed to it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate import consents
from annotate.access import Deed
from annotate.actions.consents import answer_consent, make_consent_text
from annotate.actions.groups import declare_groups
from annotate.actions.queue import Conflict
from annotate.models import Project, User
from annotate.models.consent import MAX_CONSENT
from webapp.pages.projects import project_or_404, staff_project

_SHOWN = 100  # annotators a page


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def consent(request: HttpRequest, slug: str) -> HttpResponse:
    """Shows an annotator the project's text as it stands, with what they said to it, and takes their answer."""
    project = project_or_404(request, slug, Deed.ANNOTATE)
    assert isinstance(request.user, User)
    if request.method == "POST":
        return _answered(request, request.user, project)
    text = consents.current_text(project)
    context = {
        "project": project,
        "text": text,
        "answer": consents.answer_to(request.user, text) if text else None,
        "groups": consents.groups_asked(request.user, project) if text else [],
    }
    return render(request, "consent.html", context)


def _answered(request: HttpRequest, user: User, project: Project) -> HttpResponse:
    version, answer = request.POST.get("version", ""), request.POST.get("answer")
    page = HttpResponseRedirect(reverse("consent", args=[project.slug]))
    if answer not in ("agree", "decline") or not version.isdecimal() or len(version) > 9:
        messages.warning(request, _("Nothing was noted. Choose one of the two buttons."))
        return page
    try:
        answer_consent(user=user, project=project, version=int(version), given=answer == "agree")
    except Conflict as error:
        messages.warning(request, str(error))
        return page
    if answer == "agree":
        chosen = [int(one) for one in request.POST.getlist("groups") if one.isdecimal() and len(one) < 19]
        declare_groups(user=user, project=project, group_ids=chosen)
        return HttpResponseRedirect(reverse("judge", args=[project.slug]))
    messages.info(
        request,
        _(
            "You declined. You get no more pairs of this project; what you judged stays, and you can decide otherwise at any time."
        ),
    )
    return HttpResponseRedirect(reverse("home"))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def manage(request: HttpRequest, slug: str) -> HttpResponse:
    """For managers: the versions of the text, a form for the next one, and what each annotator answered."""
    project = staff_project(request, slug, Deed.MANAGE)
    assert isinstance(request.user, User)
    problem = ""
    written = None
    if request.method == "POST":
        written = request.POST.get("text", "").replace("\x00", "")
        try:
            text = make_consent_text(by=request.user, project=project, text=written)
        except ValidationError as error:
            problem = " ".join(error.messages)
        else:
            told = (
                f"Version {text.version} is asked for from now on."
                if text.text
                else "Nothing is asked for any more."
            )
            messages.success(request, told)
            return HttpResponseRedirect(reverse("dashboard_consent", args=[slug]))
    texts = consents.texts_of(project)
    current = texts[0] if texts and texts[0].text else None
    rows = consents.answered(project, request.GET.get("after", "").replace("\x00", "")[:80], _SHOWN + 1)
    context = {
        "project": project,
        "texts": texts,
        "current": current,
        "counts": consents.counts(project, current) if current else {},
        "rows": rows[:_SHOWN],
        "next": rows[_SHOWN - 1].pseudonym if len(rows) > _SHOWN else "",
        "written": written if written is not None else (texts[0].text if texts else ""),
        "problem": problem,
        "most": MAX_CONSENT,
    }
    return render(request, "dashboard_consent.html", context, status=400 if problem else 200)
