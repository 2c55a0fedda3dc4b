"""Work in steps that are much smaller than usual: many places at which it can be interrupted."""

from annotate.exports import plan
from annotate.imports import run


def work_in_small_steps() -> None:
    """For a process of its own, for good."""
    run.BATCH_ROWS, run.BATCH_MEDIA = 60, 8
    plan.ROWS_A_FILE = plan.JUDGMENTS_A_FILE = 20
