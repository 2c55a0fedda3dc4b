"""The job that makes the demo project: everything in it comes in by the ways that real data and real people take."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import transaction

from annotate.actions.imports import start_import
from annotate.actions.jobs import AlreadyRunning, Lease, Refused, cancel_job, run_job
from annotate.actions.members import add_member
from annotate.actions.people import annotator_for, create_user
from annotate.demo import annotators, plan
from annotate.imports.places import local_file
from annotate.imports.publish import renew_plans
from annotate.imports.spec import ImportSpec
from annotate.models import (
    UNFINISHED,
    Annotator,
    Asset,
    DataImport,
    Job,
    JobKind,
    Project,
    Role,
    User,
)

PLANS_RENEWED = 50  # visits after which plans are made for tables as large as they are by then
PACE = 0.25  # seconds between two beats


def run(lease: Lease) -> None:
    """Draw, import, prepare, judge. Killed anywhere, it goes on where it stopped.

    Raises:
        Refused: an account is in the way, or some media cannot be prepared.
    """
    project = lease.job.project
    _welcome(project)
    people = {person.name: _annotator(project, person.name) for person in annotators.PEOPLE}
    # Each file counts when it is drawn and when it is prepared, each visit of an annotator once.
    parts = plan.parts()
    to_the_end = project.k * len(parts.get(plan.WRITTEN, ()))
    lease.beat(total=2 * len(plan.files_of(plan.pairs())) + to_the_end + annotators.visits())
    done = 0
    for name, pairs in parts.items():
        files = len(plan.files_of(pairs))
        if not _is_imported(project, name):
            _import(lease, project, name, pairs, done)
        _prepare_media(lease, project, after=done + files, worth=files)
        done += 2 * files
        if name == plan.WRITTEN:
            if not any(_is_imported(project, other) for other in parts if other != name):
                _judge_to_the_end(lease, people, done)
            done += to_the_end
    lease.beat(step="judging")
    annotators.work(people, _counting(lease, done))
    lease.beat(done=done + annotators.visits())


def _judge_to_the_end(lease: Lease, people: dict[str, Annotator], done: int) -> None:
    lease.beat(step="judging")
    beat = _counting(lease, done)

    def told(visits: int) -> None:
        beat(visits)
        # Judgments come faster than autovacuum looks at their table: plans made while it was empty would read all of it.
        if visits % PLANS_RENEWED == 0:
            renew_plans()

    annotators.work_to_the_end(people, told)


def _welcome(project: Project) -> None:
    """Whoever runs the site finds the demo among their projects."""
    for user in User.objects.filter(is_superuser=True, is_active=True).exclude(memberships__project=project):
        add_member(by=None, project=project, user=user, role=Role.MANAGER)


def _is_imported(project: Project, name: str) -> bool:
    """Whether the part of this name has become visible."""
    imported = project.imports.filter(visible=True).values_list("spec", flat=True)
    return any(file["name"] == name for spec in imported for file in spec["files"])


def _import(lease: Lease, project: Project, name: str, pairs: list[plan.PlannedPair], done: int) -> None:
    for begun in DataImport.objects.filter(project=project, visible=False).select_related("job__project"):
        cancel_job(by=None, job=begun.job)  # its files are gone; the next import removes what it left
    folder = Path(settings.DATA_DIR) / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        lease.beat(step="drawing")
        rows = folder / name
        plan.write(rows, pairs, _counting(lease, done))
        lease.beat(step="importing")
        spec = ImportSpec(files=(local_file(rows),), media=local_file(folder / plan.MEDIA), layout="evenhand")
        data_import = start_import(by=None, project=project, spec=spec, by_hand=True)
        run_job(data_import.job_id, by_hand=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare_media(lease: Lease, project: Project, *, after: int, worth: int) -> None:
    """Run the job that the import left, or wait for whoever runs it. `worth`: what it counts for, `after` the rest."""
    lease.beat(step="preparing media", done=after)
    beat = _counting(lease, after)

    def told(job: Job) -> None:
        beat(round(worth * job.done / max(1, job.total or 1)))

    unfinished = Job.objects.filter(project=project, kind=JobKind.DERIVE, state__in=UNFINISHED)
    for job in unfinished:
        try:
            run_job(job.pk, by_hand=True, progress=told)
        except AlreadyRunning:
            while unfinished.filter(pk=job.pk).exists():
                lease.beat()
                time.sleep(0.5)
    if Asset.objects.filter(project=project, prepared=False).exists():
        raise Refused("Some media of the demo could not be prepared: see Assets for the reasons, then retry.")


def _counting(lease: Lease, before: int) -> Callable[[int], None]:
    """Takes what is done beyond `before`, and tells not each of a thousand small steps, but a few a second."""
    last = 0.0

    def told(done: int) -> None:
        nonlocal last
        if time.monotonic() - last > PACE:
            last = time.monotonic()
            lease.beat(done=before + done)

    return told


def _annotator(project: Project, name: str) -> Annotator:
    """The person's pseudonym in the project; its account, with which nobody can log in, is made on first use.

    Raises:
        Refused: the name is that of a real account.
    """
    user = User.objects.filter(username=name).first()
    if user is None:
        with transaction.atomic():
            user = create_user(by=None, username=name, password=None, is_active=False, simulated=True)
            add_member(by=None, project=project, user=user)
    elif not user.simulated:
        raise Refused(f"There is a real account {name!r}: rename it, then retry this job.")
    return annotator_for(user, project)
