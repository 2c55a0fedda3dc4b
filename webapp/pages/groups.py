"""Groups of annotators, for who manages the project: made, removed, filled from a CSV, and who of them may judge what."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from annotate.access import Deed
from annotate.actions.groups import make_group, read_members, remove_group
from annotate.actions.pools import remove_pool, set_pool
from annotate.models import AnnotatorGroup, GroupKind, Project, TaskType, User
from annotate.models.groups import MAX_GROUP, SMALLEST_GROUP
from annotate.pools import unserved
from webapp.pages.projects import staff_project


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
            return HttpResponseRedirect(reverse("groups", args=[slug]))
        except ValidationError as error:
            problem = " ".join(error.messages)
    groups = project.annotator_groups.annotate(
        size=Count("members"), declared=Count("members", filter=Q(members__declared=True))
    )
    context = {
        "project": project,
        "groups": groups.order_by("kind", "name"),
        "kinds": GroupKind.choices,
        "rules": project.pool_rules.select_related("group").order_by(
            "task_type", "group__kind", "group__name"
        ),
        "task_types": TaskType.choices,
        "unserved": unserved(project),
        "most": MAX_GROUP,
        "smallest": SMALLEST_GROUP,
        "problem": problem,
    }
    return render(request, "groups.html", context, status=400 if problem else 200)


def _done(request: HttpRequest, user: User, project: Project) -> str:
    """Do what was posted and say what came of it."""
    sent = request.POST
    match sent.get("do"):
        case "make":
            name = sent.get("name", "").replace("\x00", "")
            group = make_group(
                by=user, project=project, kind=sent.get("kind", ""), name=name, asked="asked" in sent
            )
            return f"There is a group {group} now."
        case "remove":
            found = _group(project, sent.get("group", ""))
            remove_group(by=user, group=found)
            return f"The group {found} is gone."
        case "pool":
            found = _group(project, sent.get("group", ""))
            rule = set_pool(
                by=user,
                group=found,
                task_type=sent.get("task_type", ""),
                excludes=sent.get("how") == "excludes",
            )
            return f"From now on {found} {'may not judge' if rule.excludes else 'may judge'} {rule.pairs()}."
        case "unpool":
            number = sent.get("rule", "")
            gone = project.pool_rules.filter(pk=int(number)).first() if _is_id(number) else None
            if gone is None:
                raise ValidationError("That rule is gone already.")
            remove_pool(by=user, rule=gone)
            return "The rule is gone."
        case "read":
            file = request.FILES.get("file")
            if file is None:
                raise ValidationError("Choose a file first.")
            try:
                text = file.read().decode("utf-8").replace("\x00", "")
            except UnicodeDecodeError as error:
                raise ValidationError(
                    f"The file is not UTF-8: {error.reason} at byte {error.start}."
                ) from error
            return f"Read: {read_members(by=user, project=project, text=text):,} memberships are new."
    raise ValidationError("Use one of the buttons.")


def _group(project: Project, number: str) -> AnnotatorGroup:
    found = project.annotator_groups.filter(pk=int(number)).first() if _is_id(number) else None
    if found is None:
        raise ValidationError("That group is gone already.")
    return found


def _is_id(number: str) -> bool:
    return number.isascii() and number.isdecimal() and len(number) < 19
