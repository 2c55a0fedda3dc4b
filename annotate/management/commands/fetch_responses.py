"""manage.py fetch_responses: answers of OpenAI-compatible chat endpoints to prompts. See docs/import.md."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.actions.jobs import Refused
from annotate.imports.asking import AnswerFile, Totals, endpoints, fetch, prompts_of
from annotate.imports.places import local_file
from annotate.management.terminal import Bar


class Command(BaseCommand):
    help = "Ask every model every prompt, and append the answers to a file that pair_responses reads."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "prompts", type=Path, metavar="PROMPTS", help="rows with prompt or messages, and id"
        )
        parser.add_argument("--models", type=Path, required=True, metavar="MODELS.yaml")
        parser.add_argument("-o", "--output", type=Path, required=True, metavar="ANSWERS.jsonl")
        parser.add_argument("--concurrency", type=int, default=8, help="requests at once")
        parser.add_argument("--timeout", type=float, default=120.0, metavar="SECONDS", help="of one request")
        parser.add_argument("--tries", type=int, default=6, help="of one answer")
        parser.add_argument("--budget", type=float, help="sends nothing more once this run has cost so much")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["concurrency"] < 1 or options["tries"] < 1 or options["timeout"] <= 0:
            raise CommandError("--concurrency, --tries and --timeout must be positive.")
        try:
            models = endpoints(options["models"].read_text())
            prompts = prompts_of(local_file(options["prompts"]))
            answers = AnswerFile(options["output"])
        except (Refused, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from None
        totals = Totals()
        try:
            with Bar("answers") as bar:
                totals = fetch(
                    prompts,
                    models,
                    answers,
                    concurrency=options["concurrency"],
                    timeout=options["timeout"],
                    tries=options["tries"],
                    budget=options["budget"],
                    told=lambda now: bar.tell(
                        done=now.answered + now.failed, total=now.asked, step=_cost(now)
                    ),
                )
        except Refused as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted. Give the command again to go on.") from None
        finally:
            answers.close()
        self._tell(totals, options)

    def _tell(self, totals: Totals, options: dict[str, Any]) -> None:
        there = f", {totals.there:,} there already" if totals.there else ""
        self.stdout.write(f"{totals.answered:,} answers new{there}.")
        if totals.answered:
            self.stdout.write(f"{totals.tokens_in:,} tokens in, {totals.tokens_out:,} out{_of_cost(totals)}.")
        if left := totals.asked - totals.answered - totals.failed:
            self.stdout.write(f"{left:,} were not asked for: the budget is spent.")
        if totals.failed:
            raise CommandError(
                f"{totals.failed:,} answers did not come; {options['output']} says why. Give the command again to ask anew."
            )


def _cost(totals: Totals) -> str:
    return f"{totals.cost:.4f}" if totals.cost else ""


def _of_cost(totals: Totals) -> str:
    if totals.unpriced == totals.answered:
        return ", no prices known"
    told = f", at a price of {totals.cost:.4f}"
    return told + (f" and {totals.unpriced:,} answers without one" if totals.unpriced else "")
