"""manage.py write_criteria: have models write and verify criteria for a project's pairs."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.actions.jobs import AlreadyRunning, Refused, cancel_job
from annotate.actions.writing import start_writing
from annotate.management.terminal import run_with_bar
from annotate.models import CriteriaRun, JobState, Project, ProposalState
from annotate.written import chosen_pairs, outcome, pairs_to_write_for, report
from workers.writing.estimate import estimate
from workers.writing.recipe import Recipe, RecipeError, read


class Command(BaseCommand):
    help = (
        "Have a model write criteria for the pairs of a project, each with the response that wins by it, and others verify"
        " them (docs/criteria.md). Interrupted or killed, the same command goes on; nothing is asked twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--project", required=True, metavar="SLUG")
        parser.add_argument("--recipe", required=True, type=Path, metavar="FILE.yaml")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="ask nothing; say how many pairs, and about what it will cost",
        )
        parser.add_argument(
            "--most-cost",
            type=float,
            metavar="N",
            help="stop once the replies of this recipe have cost so much, by the prices in it",
        )
        parser.add_argument(
            "--report",
            type=Path,
            metavar="FILE.jsonl",
            help="write what was proposed so far: pair, text, label, what became of it and why, verdicts, cost",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        try:
            recipe = read(options["recipe"])
        except RecipeError as error:
            raise CommandError(str(error)) from None
        most_cost = options["most_cost"]
        if most_cost is not None:
            _require_prices(recipe, most_cost)
        if options["dry_run"]:
            self._estimate(project, recipe)
            return
        run = start_writing(
            by=None,
            project=project,
            recipe=recipe.values,
            digest=recipe.digest,
            writer=recipe.writer.title,
            most_cost=most_cost,
            send_it=False,
        )
        try:
            job = run_with_bar(run.job, unit="pair")
        except Refused as error:
            raise CommandError(str(error)) from None
        except AlreadyRunning:
            raise CommandError("This recipe is at work in another process. Try again when it ends.") from None
        except KeyboardInterrupt:
            # Else a worker would go on with it, and pay.
            cancel_job(by=None, job=run.job)
            raise CommandError("Interrupted. The same command goes on: what was answered is kept.") from None
        self._say(run)
        if options["report"]:
            self._report(run, options["report"])
        if job.state != JobState.DONE:
            raise CommandError(f"{job} is {job.state}. {job.error}")
        if job.step.startswith("stopped"):
            self.stdout.write(f"It {job.step}. With a larger --most-cost the same command goes on.")

    def _estimate(self, project: Project, recipe: Recipe) -> None:
        run = CriteriaRun.objects.filter(project=project, digest=recipe.digest).first()
        if run:
            pairs = pairs_to_write_for(run, recipe.pairs.most)
        else:
            pairs = chosen_pairs(project.pk, dict(recipe.values), None, recipe.pairs.most or None)
        found = estimate(recipe, pairs)
        cost = "no prices are given" if found.cost is None else f"about {found.cost:,.2f}"
        self.stdout.write(
            f"{found.pairs:,} pairs, at most {found.pairs * recipe.asked_for:,} criteria:"
            f" about {found.requests:,} requests, {found.tokens_in:,} tokens in and {found.tokens_out:,} out; {cost}"
        )

    def _say(self, run: CriteriaRun) -> None:
        found = outcome(run)
        accepted = found.states.get(ProposalState.ACCEPTED, 0)
        rejected = found.states.get(ProposalState.REJECTED, 0)
        self.stdout.write(
            f"{run.project.slug}: {found.pairs:,} pairs, {accepted:,} criteria accepted ({found.sampled:,} wait for people),"
            f" {rejected:,} rejected, {found.states.get(ProposalState.UNREADABLE, 0):,} pairs without a readable one"
        )
        for reason, count in found.reasons:
            self.stdout.write(f"  {count:,}: {reason}")
        cost = "" if found.cost is None else f", cost {found.cost:,.4f}"
        self.stdout.write(f"Tokens: {found.tokens_in:,} in, {found.tokens_out:,} out{cost}")
        if failed := found.states.get(ProposalState.FAILED, 0):
            self.stderr.write(f"{failed:,} pairs could not be asked about. The same command asks them again.")
        self.stdout.write(f"Look at them: /projects/{run.project.slug}/criteria/?show=written")

    def _report(self, run: CriteriaRun, path: Path) -> None:
        try:
            with path.open("w", encoding="utf-8") as file:
                for row in report(run):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
        except OSError as error:
            raise CommandError(f"--report: {path} cannot be written: {error.strerror or error}") from None
        self.stdout.write(f"Written: {path}")


def _require_prices(recipe: Recipe, most_cost: float) -> None:
    if not most_cost > 0:
        raise CommandError("--most-cost must be more than 0.")
    for name, spec in [
        ("writer", recipe.writer),
        *((f"verifiers[{n}]", one) for n, one in enumerate(recipe.verifiers)),
    ]:
        if spec.price_in is None:
            raise CommandError(f"--most-cost: {name} has no price_in and price_out in the recipe.")
