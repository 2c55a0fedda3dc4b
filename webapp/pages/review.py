"""Review: the queue of conflicts and the page of one of them, for who may settle them. What they see is in English, as the dashboard is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from annotate import evidence, review
from annotate.access import Deed, Denied, Unknown, may
from annotate.actions import review as actions
from annotate.actions.judging import Invalid
from annotate.actions.people import annotator_for
from annotate.actions.queue import Conflict
from annotate.models import (
    Annotator,
    Judgment,
    Project,
    ReviewItem,
    ReviewState,
    Ruling,
    TaskType,
    User,
    Verdict,
)
from annotate.queries import Side
from annotate.review import Place, Reviewed, Told, Wanted
from webapp.api.serializers import medium_shown
from webapp.pages.projects import staff_project

_KINDS = {"": "any", "people": "people disagree", "model": "the model is against people"}
_PROMPT = 160  # characters


@require_safe
@login_required
@never_cache
def queue(request: HttpRequest, slug: str) -> HttpResponse:
    """A page of the queue: from a place on (`after`), or what stands before one (`before`)."""
    project = _project(request, slug)
    wanted, given = wanted_of(request.GET), request.GET
    backward = place_of(given.get("before", ""))
    forward = None if backward else place_of(given.get("after", ""))
    if backward:
        items = review.before(project, wanted, backward, review.PAGE + 1)
        more_before, items = len(items) > review.PAGE, items[-review.PAGE :]
        more_after = True
    else:
        items = review.after(project, wanted, forward, review.PAGE + 1)
        more_after, items = len(items) > review.PAGE, items[: review.PAGE]
        more_before = forward is not None
    url = reverse("review", args=[slug])
    waiting = review.waiting(project)
    context = {
        "project": project,
        "rows": [_row(project, item, wanted) for item in items],
        "wanted": wanted,
        "states": [
            {
                "name": state.label,
                "url": f"{url}?{query_of(replace(wanted, state=state))}",
                "chosen": state == wanted.state,
                "count": _counted(waiting[state]),
            }
            for state in ReviewState
        ],
        "kinds": _KINDS.items(),
        "task_types": TaskType.choices,
        "criteria": review.criteria_of(project),
        "newer": f"{url}?{query_of(wanted, before=items[0])}" if items and more_before else "",
        "older": f"{url}?{query_of(wanted, after=items[-1])}" if items and more_after else "",
        "filtered": wanted != Wanted(wanted.state),
        "first": f"{url}?{query_of(wanted)}",
    }
    return render(request, "review.html", context)


def _row(project: Project, item: ReviewItem, wanted: Wanted) -> dict[str, Any]:
    turns = item.comparison.pair.prompt.turns
    return {
        "item": item,
        "url": _url_of(project, item.comparison_id, wanted),
        "prompt": turns[-1]["text"][:_PROMPT] if turns else "",
        "why": [
            *([f"people disagree ({item.people:.2f})"] if item.people else []),
            *([f"the model is against them ({item.model:.2f})"] if item.model else []),
        ],
    }


def _url_of(project: Project, comparison_id: int, wanted: Wanted) -> str:
    url, query = reverse("review_one", args=[project.slug, comparison_id]), query_of(wanted)
    return f"{url}?{query}" if query else url


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def one(request: HttpRequest, slug: str, comparison_id: int) -> HttpResponse:
    """The page of one comparison. What is posted to it names its `deed`: see _DEEDS."""
    project = _project(request, slug)
    assert isinstance(request.user, User)
    try:
        if request.method != "POST":
            return _page(request, project, comparison_id)
        act = _DEEDS.get(request.POST.get("deed", ""))
        if act is None:
            return _page(request, project, comparison_id, error="Say what is to be done.", status=400)
        following = _beside(project, comparison_id, wanted_of(request.GET))["next"]
        try:
            done = act(request.user, project, comparison_id, request.POST)
        except Invalid as error:
            return _page(request, project, comparison_id, error=str(error), status=400)
        except Conflict as error:
            return _page(request, project, comparison_id, error=str(error), status=409)
    except (Unknown, Denied) as error:
        raise Http404(str(error)) from error
    if done is None:
        return HttpResponse(status=204)
    messages.success(request, done.told)
    wanted = wanted_of(request.GET)
    here = f"{_url_of(project, comparison_id, wanted)}#said"
    back = f"{reverse('review', args=[slug])}?{query_of(wanted)}"
    return HttpResponseRedirect(here if done.stays else following or back)


@dataclass(frozen=True, slots=True)
class _Done:
    """What was done, in words, and whether the reviewer stays with the comparison."""

    told: str
    stays: bool = False


def _settle(by: User, project: Project, comparison_id: int, given: QueryDict) -> _Done:
    verdict = given.get("verdict", "")
    if verdict not in Ruling.values or verdict == Ruling.REOPENED:
        raise Invalid("verdict", "Choose how it is settled.")
    settled = actions.settle(
        by=by,
        project=project,
        comparison_id=comparison_id,
        verdict=Ruling(verdict),
        reason=_text(given, "reason"),
        seen=_number(given, "seen"),
    )
    return _Done(f"Settled: {settled.get_verdict_display()}.")


def _accept(by: User, project: Project, comparison_id: int, given: QueryDict) -> _Done:
    settled = actions.accept_majority(
        by=by,
        project=project,
        comparison_id=comparison_id,
        reason=_text(given, "reason"),
        seen=_number(given, "seen"),
    )
    return _Done(f"Settled as the majority says: {settled.get_verdict_display()}.")


def _reopen(by: User, project: Project, comparison_id: int, given: QueryDict) -> _Done:
    actions.settle(
        by=by,
        project=project,
        comparison_id=comparison_id,
        verdict=Ruling.REOPENED,
        reason=_text(given, "reason"),
        seen=_number(given, "seen"),
    )
    return _Done("Reopened.", stays=True)


def _send_back(by: User, project: Project, comparison_id: int, given: QueryDict) -> _Done:
    to, text = given.get("to", ""), _text(given, "text")
    if to == "all":
        k = _number(given, "k") or 0
        actions.send_back_to_all(by=by, project=project, comparison_id=comparison_id, text=text, k=k)
        return _Done("Sent back: one more label is asked for.")
    try:
        judgment_id = UUID(to)
    except ValueError:
        raise Invalid("to", "Choose whom it is sent back to.") from None
    actions.send_back(by=by, project=project, comparison_id=comparison_id, judgment_id=judgment_id, text=text)
    return _Done("Sent back: its annotator is asked to look again.")


def _comment(by: User, project: Project, comparison_id: int, given: QueryDict) -> _Done:
    to = given.get("to", "")
    annotator = None
    if to not in ("", "all"):
        annotator = Annotator.objects.filter(project=project, pseudonym=to).first()
        if annotator is None:
            raise Invalid("to", "Choose to whom it is said.")
    text = _text(given, "text")
    actions.comment(
        by=by,
        project=project,
        comparison_id=comparison_id,
        text=text,
        annotator=annotator,
        to_all=to == "all",
    )
    return _Done("Said.", stays=True)


def _retract(by: User, project: Project, comparison_id: int, given: QueryDict) -> _Done:
    actions.retract_comment(by=by, project=project, comment_id=_number(given, "comment") or 0)
    return _Done("Taken back.", stays=True)


def _seen(by: User, project: Project, comparison_id: int, given: QueryDict) -> None:
    comparison = review.comparison_for(project, comparison_id)
    upto = _number(given, "upto") or 0
    actions.note_seen(reader=annotator_for(by, project), comparison=comparison, upto=upto)


_DEEDS: dict[str, Callable[[User, Project, int, QueryDict], _Done | None]] = {
    "settle": _settle,
    "accept": _accept,
    "reopen": _reopen,
    "send_back": _send_back,
    "comment": _comment,
    "retract": _retract,
    "seen": _seen,
}


def _text(given: QueryDict, name: str) -> str:
    """With line ends as everywhere else than in forms, and without the one character that no text in the database has."""
    return given.get(name, "").replace("\r\n", "\n").replace("\x00", "")


def _number(given: QueryDict, name: str) -> int | None:
    text = given.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _beside(project: Project, comparison_id: int, wanted: Wanted) -> dict[str, str]:
    """Where the conflicts before and after this one are, as they are filtered; empty where there is none."""
    item = ReviewItem.objects.filter(project=project, comparison=comparison_id).first()
    if item is None:
        return {"back": "", "next": ""}
    place = Place.of(item)
    earlier, later = review.before(project, wanted, place, 1), review.after(project, wanted, place, 1)
    return {
        "back": _url_of(project, earlier[0].comparison_id, wanted) if earlier else "",
        "next": _url_of(project, later[0].comparison_id, wanted) if later else "",
    }


def _page(
    request: HttpRequest, project: Project, comparison_id: int, *, error: str = "", status: int = 200
) -> HttpResponse:
    """With `error`, what was posted and not done: what was written stands in the form again."""
    assert isinstance(request.user, User)
    user, wanted = request.user, wanted_of(request.GET)
    found = review.reviewed(project, comparison_id)
    manages = may(user, Deed.MANAGE, project)
    head = found.head if review.is_settled(found.head) else None
    comments = [
        {
            "comment": one,
            "text": one.text if not hasattr(one, "retracted_by") else None,
            "mine": one.author.user_id == user.pk,
            "to": one.annotator.pseudonym
            if one.annotator
            else "all who judged"
            if one.to_all
            else "reviewers",
        }
        for one in found.comments
    ]
    context = {
        "project": project,
        "wanted": wanted,
        "list_url": f"{reverse('review', args=[project.slug])}?{query_of(wanted)}",
        "here": _url_of(project, comparison_id, wanted),
        "query": query_of(wanted),
        **_beside(project, comparison_id, wanted),
        "found": found,
        "comparison": found.comparison,
        "pair": _pair_shown(found),
        "verdicts": [_verdict_shown(told) for told in found.verdicts],
        "model": found.model,
        "settled": head,
        "since": [told for told in found.verdicts if head and told.judgment.created_at > head.created_at],
        "majority": review.majority_of(found.item) if found.item else None,
        "rulings": [
            ("1", Ruling.RESPONSE1, "A is better", "a"),
            ("2", Ruling.TIE, "Tie", "t"),
            ("3", Ruling.RESPONSE2, "B is better", "b"),
            ("0", Ruling.CANNOT_TELL, "Nobody can tell", "t"),
        ],
        "comments": comments,
        "newest": found.comments[-1].pk if found.comments else 0,
        "manages": manages,
        "names": found.models if manages and request.GET.get("names") == "1" else None,
        "error": error,
        "given": request.POST,
        "most_k": actions.MAX_K,
    }
    return render(request, "review_one.html", context, status=status)


_SIDES = {"response1": "a", "response2": "b"}


def _pair_shown(found: Reviewed) -> dict[str, Any]:
    """What the modules show, as they know a claim: response 1 is A. Model names are not in it."""
    comparison = found.comparison
    place = f"/media/review/{comparison.pk}"

    def side(slot: str, content: Side) -> dict[str, Any]:
        medium = medium_shown(f"{place}/{slot}", content.medium) if content.medium else None
        return {"text": content.text, "media": medium}

    return {
        "id": comparison.pk,
        "sensitive": comparison.pair.sensitive,
        "prompt": {
            "turns": comparison.pair.prompt.turns,
            "media": [medium_shown(f"{place}/p{n}", medium) for n, medium in enumerate(found.media)],
        },
        "a": side("a", found.sides[0]),
        "b": side("b", found.sides[1]),
        "evidence": {
            str(told.judgment.pk): evidence.shown(told.judgment.evidence, _SIDES) for told in found.verdicts
        },
    }


_STRENGTHS = {1: "slightly better", 2: "better", 3: "much better", None: "better"}


def _said(judgment: Judgment) -> tuple[str, str]:
    """A verdict in words, by the sides of this page, and the tone to print it in."""
    if side := _SIDES.get(judgment.verdict):
        return f"{side.upper()} {_STRENGTHS[judgment.strength]}", side
    if judgment.verdict == Verdict.TIE:
        return judgment.get_tie_kind_display().capitalize() if judgment.tie_kind else "Tie", "t"
    if judgment.verdict == Verdict.MEDIA_BROKEN:
        which = _SIDES.get(judgment.broken)
        return f"{which.upper()} is broken" if which else "The prompt is broken", "t"
    return judgment.get_verdict_display().capitalize(), "t"


def _verdict_shown(told: Told) -> dict[str, Any]:
    words, tone = _said(told.judgment)
    return {
        "told": told,
        "judgment": told.judgment,
        "words": words,
        "tone": tone,
        "earlier": [_said(one)[0] for one in told.earlier],
        "a_stood": {"response1": "left, as here", "response2": "right"}.get(told.shown_first or "", "-"),
        "flipped": told.shown_first == "response2",
    }


def _counted(count: int) -> str:
    return f"more than {review.COUNTED_TO:,}" if count > review.COUNTED_TO else f"{count:,}"


def wanted_of(given: QueryDict) -> Wanted:
    """What is asked for; what nobody knows is left out."""
    state, kind, criterion = given.get("state", ""), given.get("kind", ""), given.get("criterion", "")
    return Wanted(
        state=ReviewState(state) if state in ReviewState.values else ReviewState.OPEN,
        kind="people" if kind == "people" else "model" if kind == "model" else "",
        criterion=int(criterion)
        if criterion.isascii() and criterion.isdecimal() and len(criterion) < 19
        else None,
        task_type=found if (found := given.get("task_type", "")) in TaskType.values else "",
    )


def query_of(wanted: Wanted, *, before: ReviewItem | None = None, after: ReviewItem | None = None) -> str:
    """The query string that `wanted_of` and `place_of` read."""
    named: dict[str, Any] = {
        "state": "" if wanted.state == ReviewState.OPEN else wanted.state,
        "kind": wanted.kind,
        "criterion": wanted.criterion or "",
        "task_type": wanted.task_type,
        "before": before and f"{before.strength!r}:{before.comparison_id}",
        "after": after and f"{after.strength!r}:{after.comparison_id}",
    }
    return urlencode({name: value for name, value in named.items() if value})


def place_of(text: str) -> Place | None:
    """The place that a query string names; None where it names none."""
    strength, _, comparison = text.partition(":")
    try:
        place = Place(float(strength), int(comparison))
    except ValueError:
        return None
    return place if 0 <= place.strength <= 1 and 0 < place.comparison < 2**63 else None


def _project(request: HttpRequest, slug: str) -> Project:
    project = staff_project(request, slug, Deed.REVIEW)
    return project
