"""manage.py convert_omni_reward: the released Omni-RewardModel with its value head where vLLM's native class looks for it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from workers.reward_models.base import UnfitArtefact
from workers.reward_models.large.convert import convert


class Command(BaseCommand):
    help = "Write a checkpoint with LLaMA-Factory's value head as vLLM loads it (score.weight)."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="SRC", type=Path, help="folder of the checkpoint")
        parser.add_argument("target", metavar="DST", type=Path, help="a new folder")
        parser.add_argument(
            "--head", metavar="DIR", type=Path, help="where the value head lies, if not in SRC"
        )
        parser.add_argument("--adapter", metavar="DIR", type=Path, help="an adapter to add, in PEFT's layout")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            bias = convert(
                options["source"], options["target"], head=options["head"], adapter=options["adapter"]
            )
        except UnfitArtefact as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            f"{options['target']}: the value head is score.weight; its bias of {bias:+.4g} cancels in pairs and is left out."
        )
        self.stdout.write(
            f"Serve it: vllm serve {options['target']} --runner pooling --convert classify --trust-remote-code"
        )
