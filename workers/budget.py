"""The job that tells what labels have bought so far, and what more of them would: curves, projections, advice, cost."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.utils import timezone

from annotate.actions.budgets import keep_budget
from annotate.actions.jobs import Lease, Refused
from annotate.costs import cost_of, read_done
from annotate.learning import pool_by_criterion, sampling_revision
from annotate.models import Draw, Partition, Project, Route
from annotate.sampled import oldest_scored, tested_on_draws
from annotate.stats.labels import label_of
from annotate.stats.lure import reweighted, unweighted
from annotate.stats.power_law import projected
from annotate.tallies import Unit, judged_units
from workers.features import feature_cache
from workers.items import compared
from workers.reward_models.builtin import BuiltinModel, describe
from workers.reward_models.evaluation import Accuracy, accuracy, gain
from workers.simulation.world import part_of
from workers.training import DECIDED, examples

NEXT = (100, 1_000, 10_000)
_FIRST = 25  # labels of the first point of a curve; each next one has half as many again
_STEP = 1.5
_WORTH = 0.01  # of accuracy: less than this for a thousand labels is not worth them
_CRITERIA = 20
Json = dict[str, Any]


def run(lease: Lease) -> None:
    """Compute and keep it. Killed anywhere, it begins anew: nothing is kept before all of it is there."""
    project = lease.job.project
    began, read_at = time.monotonic(), timezone.now()
    lease.beat(step="reading judgments", finishing=True)
    train = judged_units(project, Partition.TRAIN)
    reserve = [
        unit for unit in judged_units(project, Partition.RESERVE) if label_of(unit.counts, 1) in DECIDED
    ]
    if not train or not reserve:
        raise Refused(
            "There is nothing to compute yet: it takes counted verdicts on train pairs, to learn from, and decided"
            " labels of the reserve, to test on."
        )
    content: Json = _Curves(project, train, reserve).told(lease)
    lease.beat(step="criteria and cost", finishing=True)
    content |= {
        "criteria": _criteria(project),
        "sampled": _sampled(project),
        "cost": _cost(project),
        "next": list(NEXT),
    }
    content["advice"] = _advice(content)
    keep_budget(
        project=project,
        read_at=read_at,
        judgments=content["labels"],
        seconds=round(time.monotonic() - began, 2),
        content=content,
    )


class _Curves:
    """The embedded model trained on the first labels of all draws, and of those by chance alone, tested on the reserve."""

    def __init__(self, project: Project, train: Sequence[Unit], reserve: Sequence[Unit]) -> None:
        drawn = Draw.objects.filter(project=project, q__isnull=False).order_by("pk")
        order = {pair: (n, route) for n, (pair, route) in enumerate(drawn.values_list("pair", "route"))}
        # What no draw led to was imported with its labels, or authored: neither stream asked for it.
        known = sorted(
            (unit for unit in train if unit.pair_id in order), key=lambda unit: order[unit.pair_id][0]
        )
        items, self._verdicts = examples(known)
        unit_of = [unit for unit in known for _ in range(sum(unit.counts))]
        self._by_chance = np.array([order[unit.pair_id][1] == Route.UNIFORM for unit in unit_of], dtype=bool)
        asked = compared([(unit.pair_id, unit.criterion_id) for unit in reserve])
        described = describe([*items, *asked], feature_cache())
        self._train = part_of(described, np.arange(len(items)))
        self._test = part_of(described, np.arange(len(items), len(items) + len(asked)))
        self._answers = np.array([DECIDED[label_of(unit.counts, 1)] for unit in reserve], dtype=np.int8)
        self._groups = [unit.group for unit in reserve]

    def told(self, lease: Lease) -> Json:
        everything, chance = np.arange(len(self._verdicts)), np.flatnonzero(self._by_chance)
        curves: dict[str, list[Json]] = {"all": [], "chance": []}
        margins: dict[str, np.ndarray] = {}
        common = 0
        for name, rows in (("chance", chance), ("all", everything)):
            # The largest number of labels that both streams have is a point of both.
            sizes = sorted({*_sizes(len(rows)), min(len(chance), len(rows))} - {0})
            for size in sizes:
                lease.beat(step=f"learning from {size:,} labels", finishing=True)
                found = self._margins(rows[:size])
                tested = accuracy(found, self._answers, self._groups)
                assert tested
                curves[name].append({"labels": size} | _figure(tested))
                if size == len(chance):
                    margins[name], common = found, size
        told: Json = {
            "labels": len(everything),
            "by_chance": len(chance),
            "tested": len(self._answers),
            "curves": curves,
            "projection": self._projection(curves["all"]),
            "against": None,
        }
        if len(margins) == 2 and 0 < common < len(everything):
            better = gain(margins["all"], margins["chance"], self._answers, self._groups)
            assert better
            told["against"] = {"labels": common} | _figure(better)
        return told

    def _margins(self, rows: np.ndarray) -> np.ndarray:
        model = BuiltinModel.fit(part_of(self._train, rows), self._verdicts[rows])
        return model.score_described(self._test).margin

    def _projection(self, curve: list[Json]) -> list[Json]:
        labels = np.array([point["labels"] for point in curve], dtype=np.float64)
        values = np.array([point["value"] for point in curve])
        half = np.array([(point["high"] - point["low"]) / 2 for point in curve])
        if not len(labels):
            return []
        at = labels[-1] + np.array([0, *NEXT], dtype=np.float64)
        return [
            {"more": more} | one.as_json()
            for more, one in zip((0, *NEXT), projected(labels, values, half, at), strict=True)
        ]


def _sizes(count: int) -> list[int]:
    sizes, size = [], float(_FIRST)
    while size < count:
        sizes.append(round(size))
        size *= _STEP
    return [*sizes, count] if count else []


def _figure(found: Accuracy) -> Json:
    return {"value": found.value, "low": found.low, "high": found.high, "why": ""}


def _criteria(project: Project) -> list[Json]:
    """By what one more label is expected to tell the model: the most first."""
    rows = pool_by_criterion(project, sampling_revision(project))
    found = [
        {"criterion": row["criterion"], "open": row["open"], "nats": row["nats"] / row["scored"]}
        for row in rows
        if row["scored"]
    ]
    return sorted(found, key=lambda row: -row["nats"])[:_CRITERIA]


def _sampled(project: Project) -> Json | None:
    """How often a revision was right about what was asked after it had scored: as it came, put right, and by chance."""
    revision = oldest_scored(project.pk)
    if revision is None:
        return None
    drawn, uniform = tested_on_draws(revision)
    reserve = {"value": revision.accuracy, "low": revision.accuracy_low, "high": revision.accuracy_high}
    return {
        "revision": revision.number,
        "draws": len(drawn),
        "as_it_came": unweighted(drawn).as_json(),
        "put_right": reweighted(drawn).as_json(),
        "by_chance": unweighted(drawn.rows(np.flatnonzero(uniform))).as_json(),
        "reserve": reserve | {"why": "" if revision.accuracy is not None else "It was not tested."},
    }


def _cost(project: Project) -> Json:
    rates = {"per_verdict": project.pay_per_verdict, "per_hour": project.pay_per_hour}
    done = read_done(project)
    costs = [cost_of(done, more, **rates) for more in NEXT]
    return {
        "spent": costs[0]["spent"],
        "next": [cost["left"] for cost in costs],
        "why": costs[0]["why"],
        "currency": project.currency,
    }


def _advice(content: Json) -> Json:
    """{"say": "go on", "stop" or "cannot tell", "why"}."""
    now, *_ = content["projection"] or [{"value": None, "why": "No label came by a draw yet."}]
    then = next((one for one in content["projection"] if one["more"] == 1_000), now)
    if now["value"] is None or then["value"] is None:
        return {"say": "cannot tell", "why": now["why"] or then["why"]}
    least, most = then["low"] - now["value"], then["high"] - now["value"]
    told = f"The next 1,000 labels are expected to change the accuracy by {then['value'] - now['value']:+.3f} ({least:+.3f} to {most:+.3f})."
    if most < _WORTH:
        return {
            "say": "stop",
            "why": f"{told} That is less than {_WORTH} whatever happens: for this model and these criteria more of the same labels buy nothing.",
        }
    if least >= _WORTH:
        return {"say": "go on", "why": f"{told} That is {_WORTH} or more even if it goes badly."}
    return {
        "say": "cannot tell",
        "why": f"{told} Whether that is {_WORTH} or more cannot be told: more labels of the reserve would narrow it.",
    }
