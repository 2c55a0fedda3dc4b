"""The job that holds a revision against another on the reserve, and promotes it where the project's rule says so.

Both are asked about the same judged comparisons, which neither was trained on. Figures are those of evaluations: by
prompt group, without ties and with them (`evaluation/protocols.py`, `evaluation/intervals.py`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.utils import timezone

from annotate.actions.jobs import Lease, Refused
from annotate.actions.learning import finish_comparison, mark_broken
from annotate.models import Comparison, Pair, Partition, Project, Revision, Score
from annotate.stats.labels import Label, label_of
from annotate.tallies import Unit, canonical_criteria, judged_units
from workers import artefacts
from workers.evaluation.intervals import Figure, figures, paired
from workers.evaluation.measures import likeliest
from workers.evaluation.protocols import Floats, Verdicts, by_sign, with_ties, without_ties
from workers.listed import Listed, score_listed, without_score
from workers.reward_models.base import UnfitArtefact

LABELS = {Label.RESPONSE1: 1, Label.RESPONSE2: -1, Label.TIE: 0}
# Margins and probabilities of a tie, by comparison.
Said = Mapping[int, tuple[float, float]]


def run(lease: Lease) -> None:
    """Score what is missing, then compare. Killed anywhere, it goes on with the scores that there are."""
    spec = lease.job.spec
    revisions = Revision.objects.select_related("project")
    candidate, against = revisions.get(pk=spec["candidate"]), revisions.get(pk=spec["against"])
    read_at = timezone.now()
    asked = labelled(lease.job.project)
    if not asked:
        raise Refused("There is nothing to compare on yet: no comparison of the reserve has a label.")
    listed = [row for row, _, _ in asked]
    left_out: dict[str, int] = {}
    for revision in (against, candidate):
        if missing := without_score(revision, listed):
            left_out[str(revision)] = len(_score(lease, revision, missing))
    content = compare(asked, said_of(candidate, listed), said_of(against, listed))
    finish_comparison(
        lease=lease,
        candidate=candidate,
        against=against,
        read_at=read_at,
        content=content | {"left_out": left_out},
    )
    artefacts.remove_dropped(lease.job.project)


def _score(lease: Lease, revision: Revision, missing: Sequence[Listed]) -> dict[int, str]:
    try:
        model = artefacts.load(revision)
    except artefacts.Unusable as error:
        mark_broken(revision, str(error))
        raise Refused(f"{revision} cannot be used. {error}") from None
    try:
        return score_listed(lease, revision, model, missing, step=f"asking {revision} about the reserve")
    except UnfitArtefact as error:
        raise Refused(f"{revision} cannot be asked. {error}") from None


def labelled(project: Project) -> list[tuple[Listed, Unit, int]]:
    """The reserve's labelled comparisons, and what their label is: 1, -1 or 0.

    Where criteria were merged one comparison stands for all: a model is asked by the canonical one in any case.
    """
    units = {(unit.pair_id, unit.criterion_id): unit for unit in judged_units(project, Partition.RESERVE)}
    merged = canonical_criteria(project)
    rows = Comparison.objects.filter(pair__in={pair for pair, _ in units}).order_by("pk")
    found: dict[tuple[int, int], Listed] = {}
    for comparison, pair, criterion in rows.values_list("pk", "pair", "criterion"):
        canonical = merged.get(criterion, criterion)
        if criterion == canonical or (pair, canonical) not in found:
            found[pair, canonical] = comparison, pair, criterion
    return [
        (found[key], unit, LABELS[label])
        for key, unit in units.items()
        if (label := label_of(unit.counts, 1)) in LABELS
    ]


def said_of(revision: Revision, listed: Sequence[Listed]) -> Said:
    scores = Score.objects.filter(revision=revision, comparison__in=[one for one, _, _ in listed])
    return {pk: (margin, p_tie) for pk, margin, p_tie in scores.values_list("comparison", "margin", "p_tie")}


def compare(asked: Sequence[tuple[Listed, Unit, int]], candidate: Said, against: Said) -> dict[str, Any]:
    """The figures of both, and by how much the candidate is right more often, on what both could judge.

    {"labels", "decided", "groups", "protocols": {"without_ties", "with_ties": {"candidate", "against", "difference": a
    figure, "p"}}}: shares with 95 % intervals; p is two-sided, by exchanging the two prompt group by prompt group.

    Raises:
        Refused: they have judged none of these both.
    """
    both = [(row, unit, label) for row, unit, label in asked if row[0] in candidate and row[0] in against]
    if not both:
        raise Refused(
            "There is nothing to compare on: of the reserve's labels none was judged by both revisions."
        )
    labels: Verdicts = np.array([label for _, _, label in both], dtype=np.int8)
    types = dict(
        Pair.objects.filter(pk__in={unit.pair_id for _, unit, _ in both}).values_list("pk", "task_type")
    )
    tasks, groups = [types[unit.pair_id] for _, unit, _ in both], [str(unit.group) for _, unit, _ in both]

    def hits(said: Said) -> dict[str, Floats]:
        margins, p_ties = (np.array([said[row[0]][n] for row, _, _ in both]) for n in (0, 1))
        return {
            "without_ties": without_ties(by_sign(margins), labels),
            "with_ties": with_ties(likeliest(margins, p_ties), labels),
        }

    ours, theirs = hits(candidate), hits(against)
    protocols = {}
    for name in ours:
        if np.isnan(ours[name]).all():  # ties alone
            continue
        found = paired(ours[name], theirs[name], tasks, groups)
        protocols[name] = {
            "candidate": _json(figures(ours[name], tasks, groups).micro),
            "against": _json(figures(theirs[name], tasks, groups).micro),
            "difference": _json(found.differences.micro),
            "p": found.p_micro,
        }
    return {
        "labels": len(both),
        "decided": int((labels != 0).sum()),
        "groups": len(set(groups)),
        "protocols": protocols,
    }


def _json(figure: Figure | None) -> dict[str, float | int]:
    assert figure
    return figure.as_json()
