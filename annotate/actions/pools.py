"""Who may judge which pairs: pools of a project by task type, and what single pairs ask of people.

Nothing is worked through when a rule or a group changes: whose lines of the queue are whose is asked at each claim. A
pair that asks for something else goes to another line, in front of everybody there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.queue import open_pairs
from annotate.models import AnnotatorGroup, Draw, Need, Pair, PoolRule, Project, Route, TaskType, User
from annotate.models.pools import MAX_EXPERTISE, MAX_EXPERTISES, MAX_NEEDS

MOST_PAIRS = 1000  # whose needs are changed at once


@transaction.atomic
def set_pool(
    *, by: User | None, group: AnnotatorGroup, task_type: str = "", excludes: bool = False
) -> PoolRule:
    """Let a group judge the pairs of a task type ("": of all), and who is in no such group not; or keep who is in it out.

    From the next claim on; what somebody holds they may finish. Set again, it is the other of the two.

    Raises:
        ValidationError: there is no such task type.
    """
    project = group.project
    require(by, Deed.MANAGE, project)
    if task_type and task_type not in TaskType.values:
        raise ValidationError({"task_type": f"There is no task type {task_type!r}."})
    before = PoolRule.objects.filter(project=project, group=group, task_type=task_type).first()
    if before and before.excludes == excludes:
        return before
    rule, _ = PoolRule.objects.update_or_create(
        project=project, group=group, task_type=task_type, defaults={"excludes": excludes}
    )
    audit.record(
        by, "set pool", rule, project, group=str(group), task_type=task_type or "all", excludes=excludes
    )
    return rule


@transaction.atomic
def remove_pool(*, by: User | None, rule: PoolRule) -> None:
    """Forget a rule. Where it was the last pool of a task type, everybody may judge that again."""
    require(by, Deed.MANAGE, rule.project)
    audit.record(
        by,
        "remove pool",
        rule,
        rule.project,
        group=str(rule.group),
        task_type=rule.task_type or "all",
        excludes=rule.excludes,
    )
    rule.delete()


@dataclass(frozen=True, slots=True)
class Asks:
    """What a pair asks of people besides its task type; made by `asks`, so that equal ones are written alike."""

    language: str = ""
    expertise: tuple[str, ...] = ()
    any_of: bool = False


def asks(language: str = "", expertise: Iterable[str] = (), any_of: bool = False) -> Asks:
    """
    Raises:
        ValidationError: by the field (language, expertise) that is wrong.
    """
    language = _name(language, "language", empty=True)
    names: dict[str, str] = {}
    for one in expertise:
        name = _name(one, "expertise")
        if names.setdefault(name.casefold(), name) is not name:
            raise ValidationError({"expertise": f"{name!r} stands there twice."})
    if len(names) > MAX_EXPERTISES:
        raise ValidationError({"expertise": f"names {len(names)}; at most {MAX_EXPERTISES} are taken."})
    return Asks(language, tuple(names[key] for key in sorted(names)), any_of and len(names) > 1)


def _name(value: str, field: str, *, empty: bool = False) -> str:
    name = " ".join(value.split())
    if not name and not empty:
        raise ValidationError({field: "has an empty name in it."})
    if len(name) > MAX_EXPERTISE:
        raise ValidationError({field: f"{name!r:.80} has more than {MAX_EXPERTISE} characters."})
    return name


def needs_for(project_id: int, wanted: Sequence[tuple[str, Asks]]) -> dict[tuple[str, Asks], int]:
    """Ids of the needs for (task type, asks), made where there is none yet.

    Raises:
        ValidationError: the project would have more than MAX_NEEDS of them.
    """
    keys = sorted(set(wanted), key=repr)
    found: dict[tuple[str, Asks], int] = {}
    have = Need.objects.filter(project=project_id)
    for need in have:
        found[need.task_type, Asks(need.language, tuple(need.expertise), need.any_of)] = need.pk
    new = [key for key in keys if key not in found]
    if new and len(found) + len(new) > MAX_NEEDS:
        raise ValidationError(
            f"The pairs of a project ask for at most {MAX_NEEDS} different combinations of task type, language and"
            f" expertise; these would be {len(found) + len(new)}."
        )
    for task_type, asked in new:
        need, _ = Need.objects.get_or_create(
            project_id=project_id,
            task_type=task_type,
            language=asked.language,
            expertise=list(asked.expertise),
            any_of=asked.any_of,
        )
        found[task_type, asked] = need.pk
    return {key: found[key] for key in keys}


@transaction.atomic
def ask_of_people(*, by: User | None, project: Project, pair_ids: Sequence[int], asked: Asks) -> int:
    """Let pairs ask for a language and expertises, or with empty ones for nothing. Returns how many asked for another.

    Those that stand in the queue are asked at its end, of who may judge them now. What somebody holds they may finish.

    Raises:
        ValidationError: too many pairs at once, a pair of another project, or too many different needs.
    """
    require(by, Deed.MANAGE, project)
    if len(pair_ids) > MOST_PAIRS:
        raise ValidationError(f"At most {MOST_PAIRS:,} pairs at once; these are {len(pair_ids):,}.")
    pairs = list(
        Pair.objects.filter(pk__in=pair_ids, project=project).order_by("pk").select_for_update(no_key=True)
    )
    if len(pairs) < len(set(pair_ids)):
        raise ValidationError("Some of the pairs are not of this project.")
    needs = needs_for(project.pk, [(pair.task_type, asked) for pair in pairs])
    changed = [pair for pair in pairs if pair.need_id != needs[pair.task_type, asked]]
    for pair in changed:
        pair.need_id = needs[pair.task_type, asked]
    Pair.objects.bulk_update(changed, ["need"], batch_size=500)
    queued = [pair.pk for pair in changed if pair.queued]
    Draw.objects.filter(pair__in=queued, open=True).update(open=False)
    open_pairs(project.pk, queued, Route.REOPENED)
    if changed:
        audit.record(
            by,
            "ask of people",
            project,
            project,
            pairs=[pair.pk for pair in changed[:50]],
            count=len(changed),
            language=asked.language,
            expertise=list(asked.expertise),
            any_of=asked.any_of,
        )
    return len(changed)
