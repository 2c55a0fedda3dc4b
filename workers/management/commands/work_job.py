"""manage.py work_job: the process that owns a long job. Workers start it; at a terminal there are commands for each kind."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.models import Job
from workers import owner


class Command(BaseCommand):
    help = "Work on one job to its end. Workers start this for what takes longer than a task may."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", metavar="JOB", type=int, help="its number")

    def handle(self, *args: Any, **options: Any) -> None:
        if not Job.objects.filter(pk=options["job"]).exists():
            raise CommandError(f"There is no job {options['job']}.")
        if os.getpgrp() != os.getpid():
            os.setpgid(0, 0)  # what it starts ends with it, and nobody else
        owner.work(options["job"])
