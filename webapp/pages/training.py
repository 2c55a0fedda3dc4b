"""Training, quiz and attention checks, for who manages the project: the sets in their order, how each of their answers
did, and how far everybody is. Known answers are marked on a pair's page or brought by an import.
"""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate import qualifications, quality
from annotate.access import Deed
from annotate.actions.trials import ask_again, let_in_who_judged, order_set
from annotate.models import Project, TrialPart, User
from webapp.pages.projects import staff_project

_SHOWN = 100


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def manage(request: HttpRequest, slug: str) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)
    project = staff_project(request, slug, Deed.MANAGE)
    problem = ""
    if request.method == "POST":
        try:
            messages.success(request, _done(request, user, project))
            return HttpResponseRedirect(reverse("training", args=[slug]))
        except ValidationError as error:
            problem = " ".join(error.messages)
    after = request.GET.get("after", "").replace("\x00", "")[:150]
    people = qualifications.standings(project, after, _SHOWN + 1)
    sets = [(part, part.label.capitalize(), qualifications.items_of(project, part)) for part in TrialPart]
    asked = len(sets[1][2])
    context = {
        "project": project,
        "sets": sets,
        "asked": asked,
        "needed": qualifications.needed_of(project, asked),
        "people": people[:_SHOWN],
        "next": people[_SHOWN - 1].membership.user.username if len(people) > _SHOWN else "",
        "checks": quality.attention_by_annotator(project),
        "missed": quality.missed_checks(project, _SHOWN),
        "problem": problem,
    }
    return render(request, "dashboard_training.html", context, status=400 if problem else 200)


def _done(request: HttpRequest, user: User, project: Project) -> str:
    """Do what was posted and say what came of it."""
    sent = request.POST
    match sent.get("do"):
        case "up" | "down" as way:
            return _moved(user, project, sent.get("part", ""), sent.get("pair", ""), -1 if way == "up" else 1)
        case "again":
            number = ask_again(by=user, project=project)
            return f"Round {number}: everybody goes through training and quiz again, from their next pair on."
        case "let-in":
            reason = sent.get("reason", "").replace("\x00", "")
            count = let_in_who_judged(by=user, project=project, reason=reason, now=timezone.now())
            return f"Let in: {count}."
    raise ValidationError("Use one of the buttons.")


def _moved(user: User, project: Project, part: str, pair: str, by: int) -> str:
    if part not in TrialPart.values:
        raise ValidationError("There is no such set.")
    order = list(dict.fromkeys(item.pair_id for item in qualifications.items_of(project, part)))
    number = int(pair) if pair.isascii() and pair.isdecimal() and len(pair) < 19 else 0
    if number not in order:
        raise ValidationError("The set has changed meanwhile. Look at it again.")
    at = order.index(number)
    to = min(max(at + by, 0), len(order) - 1)
    order.insert(to, order.pop(at))
    order_set(by=user, project=project, part=part, pair_ids=order)
    return f"Pair {number} is number {to + 1} of the set now."
