"""A release on disk, written by export_bench from a small project whose better answer is planted."""

from pathlib import Path

from django.core.management import call_command

from annotate.models import Partition, Project, Verdict
from tests.factories import judge, make_annotator, make_comparison, make_pair, make_project

LONG, SHORT = "The long answer wins.", "The short answer wins."


def make_release(
    folder: Path, train: int = 12, validation: int = 4, reserve: int = 2, source: str = ""
) -> Project:
    """Pairs of a loud and a quiet answer under two opposed criteria, in each partition."""
    project = make_project(slug=f"released-{folder.name}")
    someone = make_annotator(project)
    counts = {Partition.TRAIN: train, Partition.VALIDATION: validation, Partition.RESERVE: reserve}
    for partition, count in counts.items():
        for n in range(count):
            loud, quiet = f"MUCH MUCH LONGER {n}", f"brief {n}"
            first, second = (loud, quiet) if n % 2 else (quiet, loud)
            pair = make_pair(
                project,
                prompt=f"{partition} {n}",
                response1=first,
                response2=second,
                partition=partition,
                source=source or ("omni_t2t_skywork" if n % 3 else "skywork_reward"),
            )
            long_wins, short_wins = Verdict.RESPONSE1, Verdict.RESPONSE2
            if not n % 2:
                long_wins, short_wins = short_wins, long_wins
            judge(make_comparison(pair, LONG, k=1), long_wins, someone)
            judge(make_comparison(pair, SHORT, k=1), short_wins, someone)
    call_command("export_bench", project=project.slug, out=folder, min_labels=1)
    return project
