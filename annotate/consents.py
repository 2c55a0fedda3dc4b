"""Reads of consent: which text a project asks for, and who agreed to which version of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Exists, OuterRef

from annotate.models import Annotator, AnnotatorGroup, Consent, ConsentText, GroupMember, Project, User


def current_text(project: Project) -> ConsentText | None:
    """The version that annotators must agree to now; None where nothing is asked."""
    newest = ConsentText.objects.filter(project=project).order_by("-version").first()
    return newest if newest and newest.text else None


def answer_to(user: User, text: ConsentText) -> Consent | None:
    """What the user last said to this version; None: nothing yet."""
    answers = Consent.objects.filter(text=text, annotator__user=user)
    return answers.order_by("-pk").first()


def groups_asked(user: User, project: Project) -> list[tuple[AnnotatorGroup, bool]]:
    """The groups that annotators are asked about, with whether the user is in them."""
    mine = GroupMember.objects.filter(group=OuterRef("pk"), annotator__user=user)
    found = project.annotator_groups.filter(asked=True).annotate(mine=Exists(mine))
    return [(group, group.mine) for group in found.order_by("kind", "name")]


def texts_of(project: Project) -> list[ConsentText]:
    """All versions, the newest first."""
    return list(ConsentText.objects.filter(project=project).select_related("made_by").order_by("-version"))


def asking(projects: Iterable[Project]) -> set[int]:
    """Ids of those of the projects that ask for consent now."""
    newest = (
        ConsentText.objects.filter(project__in=[project.pk for project in projects])
        .order_by("project", "-version")
        .distinct("project")
        .values_list("project_id", "text")
    )
    return {project_id for project_id, text in newest if text}


@dataclass(frozen=True, slots=True)
class Answered:
    """The last answer of an annotator with an account; `version` None: never asked or never answered."""

    pseudonym: str
    username: str
    version: int | None
    given: bool | None
    at: datetime | None


# One row an annotator, the latest answer found by its index.
_ANSWERED = """
    SELECT a.pseudonym, u.username, t.version, c.given, c.at
    FROM annotate_annotator a JOIN annotate_user u ON u.id = a.user_id
    LEFT JOIN LATERAL (
        SELECT text_id, given, at FROM annotate_consent WHERE annotator_id = a.id ORDER BY text_id DESC, id DESC LIMIT 1
    ) c ON true
    LEFT JOIN annotate_consenttext t ON t.id = c.text_id
    WHERE a.project_id = %s AND a.pseudonym > %s ORDER BY a.pseudonym LIMIT %s
"""


def answered(project: Project, after: str = "", size: int = 100) -> list[Answered]:
    """What each annotator with an account last said, by pseudonym, those after `after`.

    Pseudonyms of imported judgments have no account, and are asked for nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERED, [project.pk, after, size])
        return [Answered(*row) for row in cursor.fetchall()]


def counts(project: Project, text: ConsentText) -> dict[str, int]:
    """How many annotators with an account agreed to this version, declined it, or said nothing yet."""
    people = Annotator.objects.filter(project=project, user__isnull=False).count()
    last = (
        Consent.objects.filter(text=text, annotator__user__isnull=False)
        .order_by("annotator", "-pk")
        .distinct("annotator")
        .values_list("given", flat=True)
    )
    given = list(last)
    return {
        "agreed": sum(given),
        "declined": len(given) - sum(given),
        "silent": people - len(given),
    }
