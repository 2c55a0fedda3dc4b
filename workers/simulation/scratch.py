"""Projects that a simulation is played in: labelled files, imported by the ways of the product, thrown away after."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from annotate.actions.erasure import erase_demo
from annotate.actions.imports import start_import
from annotate.actions.jobs import run_job
from annotate.actions.members import add_member
from annotate.actions.people import annotator_for, create_user
from annotate.actions.projects import create_project
from annotate.imports.spec import ImportSpec
from annotate.models import UNFINISHED, Annotator, Job, JobKind, Partition, Project, Sampling, User
from annotate.stats.labels import Label, label_of
from annotate.tallies import judged_units

_PERSON = "simulated-annotator"
_VERDICTS = {Label.RESPONSE1: 1, Label.RESPONSE2: -1, Label.TIE: 0}


@dataclass(frozen=True)
class Scratch:
    """A project with the same pairs as the files, nothing of which is judged, and the labels that the files tell."""

    annotator: Annotator
    known: dict[tuple[int, int], int]

    @property
    def project(self) -> Project:
        return self.annotator.project


@contextmanager
def scratch(spec: ImportSpec, seed: int, reserve_share: float) -> Iterator[Scratch]:
    """Two projects of the files, one of them with its labels. The seed decides what is kept for testing, and chance.

    Raises:
        Refused: the files cannot be imported as they are.
    """
    with _project(seed, reserve_share) as labelled, _project(seed, reserve_share) as project:
        _fill(labelled, spec)
        _fill(project, ImportSpec(**{**vars(spec), "labels": False, "k": 1}))
        user = User.objects.filter(username=_PERSON).first()
        if user is None:
            user = create_user(by=None, username=_PERSON, password=None, is_active=False, simulated=True)
        add_member(by=None, project=project, user=user)
        yield Scratch(annotator_for(user, project), _known(labelled, project))


@contextmanager
def _project(seed: int, reserve_share: float) -> Iterator[Project]:
    name = f"simulation-{uuid4().hex[:12]}"
    project = create_project(
        by=None,
        slug=name,
        name="A simulation, thrown away when it ends",
        demo=True,
        k=1,
        reserve_k=1,
        reserve_share=reserve_share,
        validation_share=0,
        reserve_claim_share=0,
        split_ties=False,
        scale=3,
        claims_in_hand=2,
        # Nobody but the simulation draws or trains here, whatever workers are at work.
        sampling=Sampling.UNIFORM,
    )
    Project.objects.filter(pk=project.pk).update(salt=f"simulation {seed}")
    project.refresh_from_db()
    try:
        yield project
    finally:
        erase_demo(by=None, project=project)


def _fill(project: Project, spec: ImportSpec) -> None:
    data_import = start_import(by=None, project=project, spec=spec, by_hand=True)
    run_job(data_import.job_id, by_hand=True)
    for job in Job.objects.filter(project=project, kind=JobKind.DERIVE, state__in=UNFINISHED):
        run_job(job.pk, by_hand=True)


def _known(labelled: Project, project: Project) -> dict[tuple[int, int], int]:
    """The labels of one project by the ids of the other's pairs and criteria."""
    said = {}
    for partition in Partition:
        for unit in judged_units(labelled, partition):
            label = label_of(unit.counts, 1)
            if label in _VERDICTS:
                said[unit.pair_id, unit.criterion_id] = _VERDICTS[label]
    pairs = _same(
        labelled.pairs.values_list("pk", "source", "external_id"),
        project.pairs.values_list("pk", "source", "external_id"),
    )
    criteria = _same(labelled.criteria.values_list("pk", "text"), project.criteria.values_list("pk", "text"))
    return {(pairs[pair], criteria[criterion]): verdict for (pair, criterion), verdict in said.items()}


def _same(theirs: object, ours: object) -> dict[int, int]:
    """From ids there to ids here, by what follows them."""
    here = {tuple(rest): pk for pk, *rest in ours}  # type: ignore[attr-defined]
    return {pk: here[tuple(rest)] for pk, *rest in theirs}  # type: ignore[attr-defined]
