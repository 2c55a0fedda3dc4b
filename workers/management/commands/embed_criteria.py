"""manage.py embed_criteria: give every criterion its vector, so that near-duplicates are found by meaning."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from workers.embedding import embed_missing
from workers.reward_models.features.minilm import VERSION


class Command(BaseCommand):
    help = "Embed the criteria that have no vector by this revision of the model. Workers do it by themselves, too."

    def handle(self, *args: Any, **options: Any) -> None:
        from workers.reward_models.features.encoder import Unavailable  # loads torch

        done = 0
        try:
            while count := embed_missing():
                done += count
        except Unavailable as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{done:,} criteria embedded by {VERSION}.")
