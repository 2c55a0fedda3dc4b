"""A small project whose labels are planted, and what stands in its queue."""

from typing import Any

from django.utils import timezone

from annotate.actions.jobs import run_job
from annotate.actions.learning import start_training
from annotate.models import (
    Annotator,
    Draw,
    Job,
    JobKind,
    JobState,
    Pair,
    Partition,
    Project,
    Revision,
    Verdict,
)
from tests.factories import judge, make_annotator, make_comparison, make_pair, make_project

LONG, SHORT = "The long answer wins.", "The short answer wins."


def planted(judged: int = 6, open_pairs: int = 40, reserve: int = 6, **fields: Any) -> Project:
    """`judged` train pairs and `reserve` kept ones with labels, under two opposed criteria, and open train pairs of
    which the n-th tells n + 1 thousandths of a nat under each criterion."""
    project = make_project(**{"refit_judgments": 5, **fields})
    someone = make_annotator(project, judged_pairs=2 * (judged + reserve))  # a claim a comparison
    for partition, count in ((Partition.TRAIN, judged), (Partition.RESERVE, reserve)):
        for _ in range(count):
            pair = make_pair(
                project, response1="much, much longer", response2="brief", partition=partition, queued=True
            )
            project.streams.filter(partition=partition).update(
                queued=Pair.objects.filter(project=project, partition=partition, queued=True).count()
            )
            judge(make_comparison(pair, LONG, k=1), Verdict.RESPONSE1, someone)
            judge(make_comparison(pair, SHORT, k=1), Verdict.RESPONSE2, someone)
            Draw.objects.filter(pair=pair).update(open=False)
    for n in range(open_pairs):
        pair = make_pair(
            project, prompt=f"{n} tells {(n + 1) / 1000}", response1="much longer", response2="brief"
        )
        make_comparison(pair, LONG)
        make_comparison(pair, SHORT)
    return project


def at_work(project: Project, **fields: Any) -> Annotator:
    """An annotator who has just been seen: the queue should be 20 draws ahead of them."""
    return make_annotator(project, seen_at=timezone.now(), **fields)


def learn(project: Project) -> Revision:
    """Train and score, as a worker does one after the other."""
    run_job(start_training(by=None, project=project, send_it=False).pk)
    for job in Job.objects.filter(project=project, kind=JobKind.SCORE, state=JobState.QUEUED):
        run_job(job.pk)
    revision = Revision.objects.filter(project=project).order_by("number").last()
    assert revision
    return revision


def ended_well(project: Project) -> bool:
    return not Job.objects.filter(project=project).exclude(state=JobState.DONE).exists()
