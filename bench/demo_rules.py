"""What the learning loop makes of the demo's rules: its writers and annotators, by the actions that the demo takes.

Most of what the demo teaches as it is shipped are its written scenes. How accuracy rises with judgments where prompts
are more varied, a project of its other texts alone shows, drawn from several seeds. Its prompts go without their pictures, films and sounds: the embedded
model looks at responses. Everything else is the demo's: import, claims, verdicts, criteria written in place; and what
a worker does for the loop is done as judgments come in.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any
from unittest.mock import patch

import numpy as np

FOLDS = 5
# Pairs an annotator looks at between two times that the loop is tended.
STAGE = 25


def shipped() -> dict[str, Any]:
    """The demo's own job, then a training on what its annotators have judged."""
    from annotate.actions.demo import start_demo
    from annotate.actions.erasure import erase_demo
    from annotate.actions.jobs import run_job

    job = start_demo(by=None, send_it=False)
    run_job(job.pk, by_hand=True)
    _learn(job.project)
    told = _told(job.project)
    erase_demo(by=None, project=job.project)
    return told


def texts(seeds: int) -> dict[str, Any]:
    """Judged until nobody finds a pair any more; the loop learns and chooses in between."""
    from annotate.actions.demo import start_demo
    from annotate.actions.erasure import erase_demo
    from annotate.actions.jobs import run_job
    from annotate.demo import annotators, plan
    from annotate.models import Judgment, User
    from workers import loop

    pairs = list(_written(seeds))
    with patch.object(plan, "pairs", lambda: pairs), _each_looks_at(0):
        job = start_demo(by=None, send_it=False)
        run_job(job.pk, by_hand=True)
    project = job.project
    # As if they waited for their next pair: the loop draws for people alone.
    accounts = User.objects.filter(simulated=True)
    there = list(accounts.values_list("pk", flat=True))
    accounts.update(simulated=False)
    people = {one.user.username: one for one in project.annotators.select_related("user") if one.user}
    looked_at, judged = 0, -1
    while judged != (judged := Judgment.objects.count()):
        looked_at += STAGE
        with _each_looks_at(looked_at):
            annotators.work(people)
        _learn(project)
        loop.draw(project)
    told = {"pairs": len(pairs)} | _told(project)
    User.objects.filter(pk__in=there).update(simulated=True)
    erase_demo(by=None, project=project)
    return told


def _written(seeds: int) -> Iterator[Any]:
    """The demo's pairs of texts, as each seed draws them."""
    from annotate.demo import plan, rules
    from annotate.models import TaskType

    for seed in range(seeds):
        with patch.object(rules, "SEED", seed):
            drawn = plan.pairs()
        for pair in drawn:
            if pair.name.startswith("scene") or not all(answer.text for answer in pair.answers):
                continue
            # What it is about tells a prompt from its like: a question its words, a scene its seed and number, a film
            # or a sound its number.
            about = f"{seed} {pair.name}" if pair.name.startswith("look") else pair.name
            asked = pair.prompt if pair.name.startswith("text") else f"{pair.prompt} ({about})"
            yield replace(
                pair,
                name=f"{pair.name}-{seed}",
                task_type=TaskType.TEXT_TO_TEXT,
                prompt=asked,
                prompt_media=None,
            )


@contextmanager
def _each_looks_at(pairs: int) -> Iterator[None]:
    from annotate.demo import annotators

    people = tuple(replace(person, pairs=pairs) for person in annotators.PEOPLE)
    with patch.object(annotators, "PEOPLE", people):
        yield


def _learn(project: Any) -> None:
    from annotate.actions.jobs import run_job
    from annotate.actions.learning import start_scoring, start_training
    from annotate.models import Revision

    run_job(start_training(by=None, project=project, send_it=False).pk, by_hand=True)
    revision = Revision.objects.filter(project=project).latest("number")
    run_job(start_scoring(by=None, revision=revision, send_it=False).pk, by_hand=True)


def _told(project: Any) -> dict[str, Any]:
    """Each revision's accuracy on the reserve, the routes that were drawn by, and the same model cross-validated on
    all that was judged, by prompt group: the reserve of a small project is smaller still."""
    from django.db.models import Count

    from annotate.models import Draw, Revision

    revisions = [
        {
            "judgments": one.judgments,
            "reserve labels": one.held_out,
            "accuracy": _rounded(one.accuracy),
            "low": _rounded(one.accuracy_low),
            "high": _rounded(one.accuracy_high),
            "criterion-blind": _rounded(one.blind_accuracy),
            "gain over blind": _rounded(one.gain),
            "gain low": _rounded(one.gain_low),
            "gain high": _rounded(one.gain_high),
            "chance": 0.5,
        }
        for one in Revision.objects.filter(project=project).order_by("number")
    ]
    routes = Draw.objects.filter(project=project).values_list("route").annotate(Count("pk"))
    return {"revisions": revisions, "draws": dict(routes), "cross-validated": _cross_validated(project)}


def _cross_validated(project: Any) -> dict[str, Any]:
    from annotate.demo.rules import ASKED_BY_TEXT, Traits
    from annotate.models import Pair, Partition
    from annotate.stats.labels import label_of
    from annotate.tallies import judged_units
    from workers.features import feature_cache
    from workers.items import compared
    from workers.reward_models.builtin import BuiltinModel
    from workers.reward_models.evaluation import blind
    from workers.training import DECIDED, examples  # what a verdict is for the model

    units = [unit for part in Partition for unit in judged_units(project, part)]
    asked = compared([(unit.pair_id, unit.criterion_id) for unit in units])
    labels = np.array([DECIDED.get(label_of(unit.counts, 1), 0) for unit in units], dtype=np.int8)
    items, verdicts = examples(units)
    unit_of = np.repeat(np.arange(len(units)), [sum(unit.counts) for unit in units])
    groups = [unit.group for unit in units]
    fold = np.array(groups) % FOLDS
    margins = {name: np.zeros(len(units)) for name in ("model", "criterion-blind", "true traits")}
    for n in range(FOLDS):
        train, test = np.flatnonzero(fold[unit_of] != n), np.flatnonzero(fold == n)
        if not len(test):
            continue
        seen, held = [items[i] for i in train], [asked[i] for i in test]
        for name, learnt, judged in (
            ("model", seen, held),
            ("criterion-blind", blind(seen), blind(held)),
        ):
            model = BuiltinModel.train(learnt, verdicts[train], cache=feature_cache())
            margins[name][test] = model.score(judged, cache=feature_cache()).margin
    pairs = Pair.objects.select_related("response1", "response2").in_bulk([unit.pair_id for unit in units])
    for place, (unit, item) in enumerate(zip(units, asked, strict=True)):
        rule = ASKED_BY_TEXT[item.criterion]
        pair = pairs[unit.pair_id]
        first, second = (
            rule.score(Traits(**one.metadata["traits"])) for one in (pair.response1, pair.response2)
        )
        margins["true traits"][place] = first - second
    return {name: _accuracy(margin, labels, groups) for name, margin in margins.items()} | {"chance": 0.5}


def _accuracy(margins: Any, labels: Any, groups: Sequence[int]) -> dict[str, Any] | None:
    from workers.reward_models.evaluation import accuracy

    found = accuracy(margins, labels, groups)
    return {name: _rounded(value) for name, value in asdict(found).items()} if found else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
