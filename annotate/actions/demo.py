"""Beginning the demo project. What fills it is annotate/demo/make.py, owned by its job."""

from django.db import transaction

from annotate.actions.erasure import DEED
from annotate.actions.jobs import create_job, send
from annotate.actions.projects import create_project
from annotate.models import AuditEntry, Job, JobKind, Project, User

SLUG = "demo"
_GUIDELINES = """\
**This is a demo.** Its prompts, responses and most of its judgments are made by code; nothing here is data.

- Judge each criterion by itself: the answer that is right may well be the one that is dull.
- Two criteria may contradict each other. Then other answers win, and that is as it should be.
- Write a criterion of your own, where you miss one.
- Something may be broken on purpose; if it cannot be seen or heard at all, say that the media are broken.

Delete it whenever you like: *Manage*, then *Delete this demo*.
"""


def is_due() -> bool:
    """True on an installation that nobody has begun to use, and whose demo nobody has deleted."""
    return not Project.objects.exists() and not AuditEntry.objects.filter(deed=DEED).exists()


@transaction.atomic
def start_demo(*, by: User | None, send_it: bool = True) -> Job:
    """An empty demo project with the job that fills it. `send_it`: to the workers; else the caller runs it.

    Raises:
        Denied: `by` is no superuser.
        ValidationError: there is a project of that name.
    """
    project = create_project(
        by=by,
        slug=SLUG,
        name="Demo: all nine tasks",
        demo=True,
        guidelines=_GUIDELINES,
        reserve_share=0.3,
        validation_share=0.1,
        reserve_claim_share=0.4,
    )
    job = create_job(by=by, project=project, kind=JobKind.DEMO)
    if send_it:
        send(job)
    return job
