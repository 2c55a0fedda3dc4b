"""Criteria that models write: a run of a recipe, and what it proposed for a pair, kept with what became of it.

An accepted proposal makes its pair a comparison by its criterion. Its label stays with the proposal: it is a model's, and no
judgment. Whether people are asked by the criterion is decided as of any other: nobody is, unless moderators accept it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from annotate import audit
from annotate.access import Deed, require
from annotate.actions.jobs import create_job, send
from annotate.actions.judging import text_key
from annotate.actions.queue import open_pairs
from annotate.later import send_on_commit
from annotate.models import (
    UNFINISHED,
    Comparison,
    CriteriaRun,
    Criterion,
    CriterionState,
    Job,
    JobKind,
    JobState,
    Pair,
    Project,
    Proposal,
    ProposalState,
    Route,
    User,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """One proposal, as the models leave it. `cost` None: not every model has prices."""

    text: str
    label: str
    why: str
    state: ProposalState
    reason: str = ""
    verdicts: Sequence[Mapping[str, Any]] = field(default_factory=list)
    sampled: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = 0.0


@transaction.atomic
def start_writing(
    *,
    by: User | None,
    project: Project,
    recipe: Mapping[str, Any],
    digest: str,
    writer: str,
    most_cost: float | None = None,
    send_it: bool = True,
) -> CriteriaRun:
    """A run of this recipe with a job that works on it; the one there is, where the project has seen the recipe before.

    `most_cost`: the job stops once the run's replies have cost so much, and ends.

    Raises:
        Denied, Unknown: the user does not manage the project.
    """
    require(by, Deed.MANAGE, project)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # two who ask at once get one run
    run = CriteriaRun.objects.select_related("job").filter(project=project, digest=digest).first()
    if run and run.job.state != JobState.DONE:
        job = run.job
        if job.spec.get("most_cost") != most_cost:
            job.spec = job.spec | {"most_cost": most_cost}
            Job.objects.filter(pk=job.pk).update(spec=job.spec)
            audit.record(by, "change cost limit", job, project, most_cost=most_cost)
    else:
        job = create_job(by=by, project=project, kind=JobKind.WRITE, recipe=digest, most_cost=most_cost)
        if run:
            run.job = job
            run.save(update_fields=["job"])
        else:
            run = CriteriaRun.objects.create(
                project=project, job=job, digest=digest, recipe=dict(recipe), writer=writer[:200]
            )
    if send_it and job.state in UNFINISHED:
        send(job)
    return run


@transaction.atomic
def keep_proposals(*, run: CriteriaRun, pair: int, drafts: Sequence[Draft]) -> list[Proposal]:
    """Keep what was proposed for a pair, at least one draft, and make comparisons of what is accepted.

    What the run kept of the pair before is returned as it is, unless the pair could not be asked about then.

    Locks criteria, then the pair, as moderators and judges do.
    """
    Proposal.objects.filter(run=run, pair=pair, state=ProposalState.FAILED).delete()
    if there := list(Proposal.objects.filter(run=run, pair=pair).order_by("n")):
        return there
    accepted = {text_key(draft.text): draft for draft in drafts if draft.state == ProposalState.ACCEPTED}
    criteria = _hold(run, accepted)
    Pair.objects.select_for_update(no_key=True).get(pk=pair)
    kept, opened = [], False
    for n, draft in enumerate(drafts, start=1):
        proposal = Proposal(
            run=run,
            pair_id=pair,
            n=n,
            text=draft.text,
            label=draft.label,
            why=draft.why,
            state=draft.state,
            reason=draft.reason,
            verdicts=list(draft.verdicts),
            tokens_in=draft.tokens_in,
            tokens_out=draft.tokens_out,
            cost=draft.cost,
        )
        if draft.state == ProposalState.ACCEPTED:
            opened |= _accept(run.project, proposal, criteria[text_key(draft.text)])
        proposal.save(force_insert=True)
        kept.append(proposal)
    if opened and Pair.objects.filter(pk=pair, queued=True).exists():
        open_pairs(run.project_id, [pair], Route.REOPENED)
    return kept


def _hold(run: CriteriaRun, drafts: Mapping[bytes, Draft]) -> dict[bytes, Criterion]:
    """The criteria of these texts, of a merged one its canonical one; new ones are made. They stay as they are decided."""
    named = Criterion.objects.filter(project=run.project_id, text_key__in=list(drafts))
    there = {bytes(key) for key in named.values_list("text_key", flat=True)}
    for key in sorted(drafts.keys() - there):
        draft = drafts[key]
        state = CriterionState.PROPOSED if draft.sampled else CriterionState.OWN
        criterion, new = Criterion.objects.get_or_create(
            project=run.project,
            text_key=key,
            defaults={"text": draft.text, "state": state, "in_library": False},
        )
        if new:
            audit.record(
                None,
                "write criterion",
                criterion,
                run.project,
                writer=run.writer,
                run=run.pk,
                sampled=draft.sampled,
            )
            send_on_commit("workers.tasks.embed_missing")
    found = {bytes(one.text_key): one for one in named.select_related("canonical").order_by("pk")}
    ids = sorted({pk for one in found.values() for pk in (one.pk, one.canonical_id) if pk})
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM annotate_criterion WHERE id = ANY (%s) ORDER BY id FOR SHARE", [ids])
    # As they are now that nobody can decide about them.
    return {
        bytes(one.text_key): one.canonical or one for one in named.select_related("canonical").order_by("pk")
    }


def _accept(project: Project, proposal: Proposal, criterion: Criterion) -> bool:
    """Make the comparison, or say on the proposal why there is none. True: people are asked by the criterion."""
    problem = ""
    if criterion.state in (CriterionState.REJECTED, CriterionState.RETIRED):
        why = f": {criterion.reason}" if criterion.reason else ""
        problem = f"the project has {criterion.get_state_display()} this criterion{why}"
    else:
        comparison, new = Comparison.objects.get_or_create(
            pair_id=proposal.pair_id,
            criterion=criterion,
            defaults={"k": criterion.k or project.authored_k},
        )
        if not new:
            problem = "the pair is judged by this criterion already"
    if problem:
        proposal.state, proposal.reason = ProposalState.REJECTED, problem
        return False
    proposal.criterion, proposal.comparison = criterion, comparison
    proposal.sampled = criterion.state == CriterionState.PROPOSED
    return criterion.state == CriterionState.ACCEPTED
