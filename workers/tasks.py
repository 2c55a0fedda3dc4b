"""The tasks: ids in, one call into the domain. Each may be killed at any instruction and run twice."""

from datetime import timedelta

import structlog

from annotate.actions import jobs, queue, retention
from annotate.exports import run as releases
from annotate.imports.uploads import remove_abandoned_uploads
from workers import embedding, loop, owner
from workers.celery import app

log = structlog.get_logger(__name__)

# A job runs in segments, so that no task comes near CELERY_TASK_TIME_LIMIT.
SEGMENT = timedelta(minutes=10)


@app.task
def run_job(job_id: int) -> None:
    """Work on a job until it ends or its segment is over; whoever comes second leaves it to the first."""
    try:
        jobs.run_job(job_id, segment=SEGMENT)
    except jobs.AlreadyRunning:
        log.info("job is running elsewhere", job=job_id)


@app.task
def write_shards(release_id: str) -> None:
    """Help another worker to write the files of a release."""
    releases.assist(release_id)


@app.task
def start_process(job_id: int) -> None:
    """Start the process that works on a job for longer than a task may, and leave it to itself."""
    owner.start(job_id)


@app.task
def sweep() -> None:
    """Send again the jobs whose message was lost or whose worker died; remove what nobody will come back for."""
    jobs.sweep_jobs()
    remove_abandoned_uploads()


@app.task
def expire_claims() -> None:
    """End the claims whose lease has run out."""
    queue.expire_claims()


@app.task
def top_up_queues() -> None:
    """Keep the open projects' queues ahead of their annotators."""
    queue.top_up_queues()


@app.task
def tend_loops() -> None:
    """Let the open projects' models learn, and choose what people are asked next."""
    loop.tick()


@app.task
def apply_retention() -> None:
    """Cut links and forget what is older than the projects' settings let it be."""
    retention.apply_retention()


@app.task
def embed_missing() -> None:
    """Give the criteria that lack one their vector: new ones, imported ones, all after a change of the model."""
    if embedding.embed_missing() == embedding.AT_ONCE:
        embed_missing.delay()


@app.task
def embed_typed(text: str) -> None:
    """Make the vector of what somebody is typing, for the next time that it is asked about."""
    embedding.embed_typed(text)
