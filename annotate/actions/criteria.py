"""Criteria of a project's library: added, applied to pairs, merged."""

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.judging import MAX_CRITERION, text_key
from annotate.actions.queue import open_pairs
from annotate.models import Criterion, Pair, Project, Route, User

_BATCH = 2000


@transaction.atomic
def add_criterion(*, by: User | None, project: Project, text: str) -> Criterion:
    """A criterion in the project's library; the one that is there if it only differs in case or white space.

    It is judged nowhere until `apply_criterion`.

    Raises:
        ValidationError: it is empty or too long.
    """
    require(by, Deed.MANAGE, project)
    text = text.strip()
    if not text:
        raise ValidationError({"text": "Write the criterion."})
    if len(text) > MAX_CRITERION:
        raise ValidationError({"text": f"At most {MAX_CRITERION} characters; these are {len(text)}."})
    criterion, created = Criterion.objects.get_or_create(
        project=project, text_key=text_key(text), defaults={"text": text}
    )
    if created:
        audit.record(by, "add criterion", criterion, project)
    return criterion


def apply_criterion(*, by: User | None, criterion: Criterion, pair_ids: list[int] | None = None) -> int:
    """Have pairs judged by the criterion too: the given ones, or all visible pairs of its project.

    Works in batches, each a transaction of its own: broken off, it is completed by calling it again. Pairs
    that have it already are left alone. Returns how many comparisons were made.

    Raises:
        ValidationError: the criterion was merged into another one.
    """
    project = criterion.project
    require(by, Deed.MANAGE, project)
    if criterion.canonical_id:
        raise ValidationError(f"This criterion was merged into {criterion.canonical}. Apply that one.")
    with transaction.atomic():
        audit.record(
            by, "apply criterion", criterion, project, pairs="all" if pair_ids is None else len(pair_ids)
        )
    made = last = 0
    while True:
        pairs = Pair.objects.filter(project=project, pk__gt=last)
        if pair_ids is not None:
            pairs = pairs.filter(pk__in=pair_ids)
        with transaction.atomic():
            batch = list(pairs.order_by("pk").values_list("pk", flat=True)[:_BATCH])
            if not batch:
                return made
            made += _apply(project, criterion, batch)
            last = batch[-1]


def _apply(project: Project, criterion: Criterion, pair_ids: list[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH locked AS (
                SELECT p.id, p.partition, p.queued FROM annotate_pair p
                WHERE p.id = ANY (%(pairs)s)
                  AND (p.data_import_id IS NULL
                       OR (SELECT i.visible FROM annotate_dataimport i WHERE i.id = p.data_import_id))
                ORDER BY p.id FOR NO KEY UPDATE OF p
            ), made AS (
                INSERT INTO annotate_comparison (pair_id, criterion_id, k, created_at)
                SELECT id, %(criterion)s, CASE partition WHEN 'reserve' THEN %(reserve_k)s ELSE %(k)s END,
                       now()
                FROM locked
                ON CONFLICT DO NOTHING RETURNING pair_id
            )
            SELECT made.pair_id, locked.queued FROM made JOIN locked ON locked.id = made.pair_id
            """,
            {
                "pairs": pair_ids,
                "criterion": criterion.pk,
                "k": project.k,
                "reserve_k": project.reserve_k,
            },
        )
        made = cursor.fetchall()
    # Pairs that were never drawn come up by themselves.
    open_pairs(project.pk, [pair_id for pair_id, queued in made if queued], Route.REOPENED)
    return len(made)


@transaction.atomic
def merge_criteria(*, by: User | None, duplicate: Criterion, into: Criterion) -> Criterion:
    """Say that `duplicate` means the same as `into`: it and those merged into it point there from now on.

    Both texts and what was judged under them stay; a release counts them as one. Returns the canonical one.

    Raises:
        ValidationError: they are of two projects, or already the same.
    """
    require(by, Deed.MANAGE, duplicate.project)
    if duplicate.project_id != into.project_id:
        raise ValidationError("Criteria of two projects cannot be merged.")
    # Merges of one project come one after another: chains and rings cannot grow between two of them.
    Project.objects.select_for_update(no_key=True).get(pk=duplicate.project_id)
    into = Criterion.objects.select_related("canonical").get(pk=into.pk)
    canonical = into.canonical or into
    if canonical.pk == duplicate.pk:
        raise ValidationError("These two are merged already, or one would be merged into itself.")
    Criterion.objects.filter(canonical=duplicate).update(canonical=canonical)
    Criterion.objects.filter(pk=duplicate.pk).update(canonical=canonical)
    audit.record(by, "merge criterion", duplicate, duplicate.project, into=canonical.pk)
    return canonical
