"""Groups of annotators: made by managers, filled by them, from a CSV, or by what annotators say of themselves.

Audit rows tell numbers and names of groups, and of annotators their pseudonyms where a manager set them; what annotators
say of themselves is told without a pseudonym, as that would tie it to their account.
"""

import csv
import io
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.people import annotator_for
from annotate.actions.queue import lock_annotator
from annotate.models import Annotator, AnnotatorGroup, GroupKind, GroupMember, Project, User

_MOST_LINES = 100_000


@transaction.atomic
def make_group(
    *, by: User | None, project: Project, kind: GroupKind | str, name: str, asked: bool = False
) -> AnnotatorGroup:
    """A new, empty group.

    Raises:
        Denied, Unknown: the user does not manage the project.
        ValidationError: the kind is unknown, or the name is empty, too long or taken.
    """
    require(by, Deed.MANAGE, project)
    group = AnnotatorGroup(project=project, kind=kind, name=" ".join(name.split()), asked=asked)
    group.full_clean()
    group.save()
    audit.record(by, "make group", group, project, kind=group.kind, name=group.name, asked=asked)
    return group


@transaction.atomic
def remove_group(*, by: User | None, group: AnnotatorGroup) -> None:
    """Forget a group and who was in it. Releases that were frozen before keep what they hold.

    Raises:
        ValidationError: a pool is of it, which would be open to everybody then.
    """
    require(by, Deed.MANAGE, group.project)
    if group.pool_rules.exists():
        raise ValidationError(f"A rule of who may judge what names {group}. Remove that first.")
    audit.record(
        by,
        "remove group",
        group,
        group.project,
        kind=group.kind,
        name=group.name,
        members=group.members.count(),
    )
    group.delete()


@transaction.atomic
def set_groups(*, by: User | None, annotator: Annotator, groups: Iterable[AnnotatorGroup]) -> None:
    """Let an annotator be in these groups of the project and in no other.

    Raises:
        ValidationError: a group is of another project.
    """
    project = annotator.project
    require(by, Deed.MANAGE, project)
    wanted = {group.pk: group for group in groups}
    if any(group.project_id != project.pk for group in wanted.values()):
        raise ValidationError("A group of another project cannot be chosen.")
    lock_annotator(annotator)
    before = set(GroupMember.objects.filter(annotator=annotator).values_list("group_id", flat=True))
    GroupMember.objects.filter(annotator=annotator).exclude(group__in=wanted).delete()
    GroupMember.objects.bulk_create(
        GroupMember(group_id=pk, annotator=annotator) for pk in wanted if pk not in before
    )
    if before != set(wanted):
        names = sorted(str(group) for group in wanted.values())
        audit.record(by, "set groups", annotator, project, groups=names)


@transaction.atomic
def read_members(*, by: User | None, project: Project, text: str) -> int:
    """Put annotators into groups as a CSV with the columns annotator (the pseudonym), kind and group says.

    Groups must be there already; who is in one stays in it. All lines are read or none. Returns how many annotators
    are in a group that they were not in before.

    Raises:
        ValidationError: a line is wrong; the message says which and how to mend it.
    """
    require(by, Deed.MANAGE, project)
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline=""))
    columns = {"annotator", "kind", "group"}
    if missing := columns - set(reader.fieldnames or ()):
        raise ValidationError(
            f"The first line must name the columns annotator, kind and group; {', '.join(sorted(missing))} is missing."
        )
    groups = {(group.kind, group.name): group.pk for group in project.annotator_groups.all()}
    annotators = dict(Annotator.objects.filter(project=project).values_list("pseudonym", "pk"))
    members: dict[tuple[int, int], None] = {}
    try:
        for line, row in enumerate(reader, start=2):
            if line > _MOST_LINES:
                raise ValidationError(f"At most {_MOST_LINES:,} lines at once.")
            annotator = annotators.get((row["annotator"] or "").strip())
            group = groups.get(((row["kind"] or "").strip(), " ".join((row["group"] or "").split())))
            if annotator is None:
                raise ValidationError(
                    f"Line {line}: there is no annotator {row['annotator']!r} in this project."
                )
            if group is None:
                raise ValidationError(
                    f"Line {line}: there is no group {row['kind']}: {row['group']}. Make it first."
                )
            members[group, annotator] = None
    except csv.Error as error:
        raise ValidationError(f"Line {reader.line_num}: {error}.") from error
    before = GroupMember.objects.filter(group__project=project).count()
    GroupMember.objects.bulk_create(
        (GroupMember(group_id=group, annotator_id=annotator) for group, annotator in members),
        ignore_conflicts=True,
        batch_size=5000,
    )
    added = GroupMember.objects.filter(group__project=project).count() - before
    audit.record(by, "read group members", project, project, lines=len(members), added=added)
    return added


@transaction.atomic
def declare_groups(*, user: User, project: Project, group_ids: Iterable[int]) -> None:
    """Let the user be in those of the groups that annotators are asked about, and in no other of these.

    Ids of groups that nobody is asked about are left out: what a manager has set is not the annotator's to change.
    """
    annotator = annotator_for(user, project)
    lock_annotator(annotator)
    asked = set(project.annotator_groups.filter(asked=True).values_list("pk", flat=True))
    chosen = asked & set(group_ids)
    mine = GroupMember.objects.filter(annotator=annotator, group__in=asked)
    before = set(mine.values_list("group_id", flat=True))
    if before == chosen:
        return
    mine.exclude(group__in=chosen).delete()
    GroupMember.objects.bulk_create(
        GroupMember(group_id=pk, annotator=annotator, declared=True) for pk in sorted(chosen - before)
    )
    audit.record(user, "declare groups", project, project)
