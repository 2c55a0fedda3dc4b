"""What active sampling saves: campaigns of every policy beside chance, several seeds, where the right answers are known.

Planted texts and pictures under 11 criteria, in a balanced pool and in one of which 70 % ask one thing, tested on all alike
or just as lopsidedly, and real texts (PandaLM, LLMBar) where ../shared/data is. Every seed has its own pool, its own test prompts and its own draws; a policy is
compared with chance seed by seed. "share" is the part of chance's labels that reaches what chance reaches at the last of
them; "gain" the accuracy gained at as many. Beside it the accuracy of a fixed judge on what each policy drew, raw and
reweighted (LURE), and on its draws by chance alone, against the truth of the pool. Prints JSON; --out also draws curves and
keeps runs, so that a stopped bench goes on.
"""

# Django is set up before what reads its settings is imported.
# ruff: noqa: E402

import argparse
import hashlib
import io
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import planted

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
os.environ.setdefault("DATA_DIR", tempfile.mkdtemp(prefix="evenhand-bench-"))
import django

django.setup()

from annotate.models import TaskType
from annotate.stats.lure import Drawn, reweighted, unweighted
from workers.reward_models.base import Compared, MediumRef, Side
from workers.reward_models.builtin import BuiltinModel, Described, describe
from workers.reward_models.features.cache import DirectoryCache, FeatureCache
from workers.simulation.curves import Curve, curve, saving
from workers.simulation.memory import CHANCE, Plan, Played, play
from workers.simulation.plots import draw_curves
from workers.simulation.world import World, part_of

DATA = ROOT.parent / "shared/data/text"
OVERALL = "The response follows the instruction and is of higher quality"
POLICIES = (CHANCE, "powerbald", "margin", "random")
SKEW = 0.7
_TASKS = {"text": TaskType.values.index("text_to_text"), "image": TaskType.values.index("text_to_image")}


class Source:
    """All there is to ask: items described once, which worlds are made of."""

    def __init__(
        self, items: list[Compared], verdicts: list[int], groups: list[str], cache: FeatureCache
    ) -> None:
        self.verdict = np.array(verdicts, dtype=np.int8)
        names = {name: n for n, name in enumerate(dict.fromkeys(groups))}
        self.group = np.array([names[name] for name in groups])
        texts = {text: n for n, text in enumerate(dict.fromkeys(item.criterion for item in items))}
        self.criterion = np.array([texts[item.criterion] for item in items])
        self.texts = list(texts)
        self.task = np.array([_TASKS["image" if item.first.medium else "text"] for item in items])
        self.described: Described = describe(items, cache)

    def world(self, rows: np.ndarray, tested: np.ndarray, rng: np.random.Generator) -> World:
        """Each comparison as a pair of its own."""
        order = rng.permutation(len(rows))
        rows, tested = rows[order], tested[order]
        return World(
            pair=np.arange(1, len(rows) + 1),
            criterion=self.criterion[rows],
            task=self.task[rows],
            shuffle=rng.permutation(len(rows)),
            tested=tested,
            group=self.group[rows],
            verdict=self.verdict[rows],
            described=part_of(self.described, rows),
        )


def planted_source(texts: int, images: int, cache: FeatureCache) -> Source:
    rows = [*planted.crossed("texts", texts, 1), *planted.crossed("images", images, 1)]
    items = [Compared(row.prompt, row.criterion, _side(row.first), _side(row.second)) for row in rows]
    return Source(items, [row.verdict for row in rows], [row.group for row in rows], cache)


def balanced(source: Source, seed: int, most: int) -> World:
    """As often each of what is asked, a third of the prompts for testing."""
    return _mixed(source, seed, most)


def skewed(source: Source, seed: int, most: int) -> World:
    """In the pool 70 % ask for brevity; the test asks everything as often."""
    return _mixed(source, seed, most, skewed_pool=True)


def lopsided(source: Source, seed: int, most: int) -> World:
    """In the pool and in the test 70 % ask for brevity: what is rarely asked hardly counts."""
    return _mixed(source, seed, most, skewed_pool=True, skewed_test=True)


def _mixed(
    source: Source, seed: int, most: int, *, skewed_pool: bool = False, skewed_test: bool = False
) -> World:
    rng = np.random.default_rng([7, seed])
    meant = {
        text: name
        for name, (_, _, said, _) in (planted.TEXT_CRITERIA | planted.IMAGE_CRITERIA).items()
        for text in said
    }
    concept = np.array([meant[text] for text in source.texts])[source.criterion]
    prompts = rng.permutation(source.group.max() + 1)
    tested = np.isin(source.group, prompts[: len(prompts) // 3])
    pool = np.flatnonzero(~tested)
    rng.shuffle(pool)
    if skewed_pool:
        pool = _skewed(pool, concept)
    names = np.unique(concept)
    each = min(200, *(int((concept[tested] == name).sum()) for name in names))
    test = np.concatenate(
        [rng.permutation(np.flatnonzero(tested & (concept == name)))[:each] for name in names]
    )
    if skewed_test:
        test = _skewed(rng.permutation(np.flatnonzero(tested)), concept)
    pool = rng.permutation(pool)[:most]
    rows = np.concatenate([pool, test])
    return source.world(rows, np.arange(len(rows)) >= len(pool), rng)


def _skewed(rows: np.ndarray, concept: np.ndarray) -> np.ndarray:
    """All that ask for brevity, and as many others as make them SKEW of all."""
    brief, others = (rows[asked] for asked in (concept[rows] == "brief", concept[rows] != "brief"))
    return np.concatenate([brief, others[: round(len(brief) * (1 - SKEW) / SKEW)]])


def real_source(name: str, cache: FeatureCache) -> Source:
    items, verdicts, groups = [], [], []
    if name == "pandalm":
        for row in json.loads((DATA / "pandalm-testset-v1.json").read_text()):
            [(said, times)] = Counter(int(row[f"annotator{n}"]) for n in (1, 2, 3)).most_common(1)
            asked = f"{row['instruction']}\n\n{row['input']}".strip()
            items.append(Compared(asked, OVERALL, Side(str(row["response1"])), Side(str(row["response2"]))))
            verdicts.append({0: 0, 1: 1, 2: -1}[said] if times > 1 else 0)
            groups.append(asked)
    else:
        for row in json.loads((DATA / "llmbar-natural.json").read_text()):
            items.append(Compared(row["input"], OVERALL, Side(row["output_1"]), Side(row["output_2"])))
            verdicts.append(1 if int(row["label"]) == 1 else -1)
            groups.append(row["input"])
    return Source(items, verdicts, groups, cache)


def split(source: Source, seed: int) -> World:
    """A third of the prompts for testing."""
    rng = np.random.default_rng([8, seed])
    prompts = rng.permutation(source.group.max() + 1)
    tested = np.isin(source.group, prompts[: len(prompts) // 3])
    return source.world(np.arange(len(tested)), tested, rng)


def run(
    name: str, worlds: Callable[[int], World], options: argparse.Namespace, plan: Plan, kept: dict[str, Any]
) -> dict[str, Any]:
    """Every policy on every seed; what is kept from before is not played again."""
    judged: dict[str, list[dict[str, Any]]] = {policy: [] for policy in options.policies}
    for seed in range(options.seeds):
        world = None
        for policy in options.policies:
            key = f"{name} {policy} {seed} {plan}"
            if key not in kept:
                world = world or worlds(seed)
                began = time.monotonic()
                played = play(world, policy, seed, plan)
                kept[key] = {"labels": played.labels, "accuracy": played.accuracy} | _estimates(world, played)
                kept[key]["seconds"] = round(time.monotonic() - began, 1)
                print(
                    key,
                    kept[key]["labels"][-1],
                    round(played.accuracy[-1], 3),
                    kept[key]["seconds"],
                    file=sys.stderr,
                    flush=True,
                )
                if options.out:
                    _keep(options.out, kept)
            judged[policy].append(kept[key])
    curves = {
        policy: curve([(one["labels"], one["accuracy"]) for one in runs], plan.batch)
        for policy, runs in judged.items()
    }
    if options.out:
        draw_curves(options.out / f"{name.replace(' ', '-')}.png", name, curves)
    return {policy: _told(curves, policy, judged[policy], plan.labels) for policy in curves}


def _estimates(world: World, played: Played) -> dict[str, Any]:
    """How often a judge is right that learned from the first batch and no more: the truth over all that was not yet
    asked then, and what each way to estimate makes of what was drawn later."""
    first = np.isin(world.pair, [one.pair_id for one in played.draws[0]])
    rows = np.flatnonzero(first)
    judge = BuiltinModel.fit(part_of(world.described, rows), world.verdict[rows])
    rest = np.flatnonzero(~first & ~world.tested & (world.verdict != 0))
    right = np.zeros(len(world))
    right[rest] = (
        np.sign(judge.score_described(part_of(world.described, rest)).margin) * world.verdict[rest] + 1
    ) / 2
    counts = ((world.verdict != 0) & ~world.tested).astype(float)
    at = {int(pair): row for row, pair in enumerate(world.pair.tolist())}
    table = [
        (
            epoch,
            place,
            epoch_draws[0].pool_size,
            one.pool_size,
            one.q,
            right[at[one.pair_id]],
            counts[at[one.pair_id]],
            one.route == "uniform",
        )
        for epoch, epoch_draws in enumerate(played.draws[1:], 1)
        for place, one in enumerate(epoch_draws, 1)
    ]
    columns = np.array(table, dtype=float).T
    drawn = Drawn(*(column.astype(np.int64) for column in columns[:4]), *columns[4:7])
    uniform = drawn.rows(np.flatnonzero(columns[7]))
    found = {"raw": unweighted(drawn), "reweighted": reweighted(drawn), "by chance": unweighted(uniform)}
    return {"truth": float(right[rest].mean())} | {
        name: [one.value, one.low, one.high] for name, one in found.items()
    }


def _told(curves: dict[str, Curve], policy: str, runs: list[dict[str, Any]], at: int) -> dict[str, Any]:
    mine = curves[policy]
    points = {
        str(int(labels)): [round(float(mean), 3), round(float(half), 3)]
        for labels, mean, half in zip(mine.labels, mine.mean, mine.half, strict=True)
        if labels in (50, 100, 200, 300, 500, 750, 1000) or labels == mine.labels[-1]
    }
    told: dict[str, Any] = {"accuracy, half interval": points}
    if policy != CHANCE and CHANCE in curves:
        found = saving(mine, curves[CHANCE], at)
        told["labels of chance's"] = {
            "at": found.at,
            "share": round(found.share, 3),
            "low": round(found.low, 3),
            "high": round(found.high, 3),
        }
        told["gain"] = [round(found.gain, 4), round(found.gain_half, 4)]
        told["worse than chance"] = found.worse
    truth = np.array([one["truth"] for one in runs])
    told["judge"] = {"truth": round(float(truth.mean()), 3)} | {
        name: {
            "bias": round(float(np.mean([one[name][0] for one in runs] - truth)), 4),
            "error": round(float(np.std([one[name][0] for one in runs] - truth) / np.sqrt(len(runs))), 4),
            "intervals that hold": sum(
                one[name][1] is not None and one[name][1] <= one["truth"] <= one[name][2] for one in runs
            ),
        }
        for name in ("raw", "reweighted", "by chance")
    }
    return told


def _keep(out: Path, kept: dict[str, Any]) -> None:
    new = out / "runs.json.new"
    new.write_text(json.dumps(kept))
    new.replace(out / "runs.json")


def _side(shown: str | bytes) -> Side:
    if isinstance(shown, str):
        return Side(shown)
    return Side(medium=MediumRef(hashlib.sha256(shown).digest(), "image", {"web": lambda: io.BytesIO(shown)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="where embeddings are kept between runs")
    parser.add_argument("--out", type=Path, help="folder for curves, and for runs to go on from")
    parser.add_argument("--only", nargs="+", default=["balanced", "skewed", "lopsided", "pandalm", "llmbar"])
    parser.add_argument("--policies", nargs="+", default=POLICIES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--texts", type=int, default=1800, help="planted pairs of texts")
    parser.add_argument("--images", type=int, default=900, help="planted pairs of pictures")
    parser.add_argument("--pool", type=int, default=6000, help="comparisons in a planted pool, at most")
    options = parser.parse_args()
    kept: dict[str, Any] = {}
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        if (options.out / "runs.json").exists():
            kept = json.loads((options.out / "runs.json").read_text())
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as passing:
        cache = DirectoryCache(options.cache or Path(passing))
        mixed = [name for name in (balanced, skewed, lopsided) if name.__name__ in options.only]
        if mixed:
            source = planted_source(options.texts, options.images, cache)
            plan = Plan(labels=options.labels)
            for make in mixed:
                name = make.__name__
                figures[name] = run(name, partial(make, source, most=options.pool), options, plan, kept)
        for name, batch, labels in (("pandalm", 25, 600), ("llmbar", 5, 60)):
            if name in options.only and DATA.exists():
                plan = Plan(batch=batch, labels=min(labels, options.labels))
                worlds = partial(split, real_source(name, cache))
                figures[name] = run(name, worlds, options, plan, kept)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
