"""What the embedded reward model learns, and how fast: planted differences, the demo's rules, PandaLM's real texts.

Accuracies leave ties aside and carry 95% intervals bootstrapped by prompt group. Beside the model stand what it must
beat: always the longer answer, the same model blind to the criterion, trained on shuffled labels, and chance. Prints
JSON. Embeddings are remembered under --cache: the first run takes minutes, mostly for them.
"""

import argparse
import hashlib
import io
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import planted
from place import own_servers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workers.reward_models.base import Compared, MediumRef, Side, Verdicts
from workers.reward_models.builtin import BuiltinModel, Described, Part
from workers.reward_models.evaluation import accuracy, accuracy_with_ties, blind
from workers.reward_models.features.cache import DirectoryCache, FeatureCache
from workers.reward_models.features.minilm import WIDTH
from workers.reward_models.features.text import NAMES
from workers.reward_models.head import Differences
from workers.sampling import epoch, fair_quotas

PANDALM = Path(__file__).resolve().parent.parent.parent / "shared/data/text/pandalm-testset-v1.json"
OVERALL = "The response follows the instruction and is of higher quality"
LEARNT_FROM = (300, 1000, 2000)
TIMED_WITH = (300, 1000, 3000)
POOL = 100_000
FOLDS = 5
PARTS = ("texts", "images", "demo", "pandalm", "clock")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="where embeddings are kept between runs")
    parser.add_argument(
        "--pairs", type=int, default=1500, help="planted pairs of texts; half as many of pictures"
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=5,
        help="beside the demo as it is shipped, its questions drawn from so many seeds: a learning curve; 0 leaves it out",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        cache = DirectoryCache(options.cache or Path(passing))
        parts: dict[str, Callable[[], dict[str, Any]]] = {
            "texts": lambda: on_planted(planted.texts(options.pairs, seed=1), cache),
            "images": lambda: on_planted(planted.images(options.pairs // 2, seed=2), cache),
            "demo": lambda: on_demo(options.seeds),
            "pandalm": lambda: on_pandalm(cache),
            "clock": clock,
        }
        figures: dict[str, Any] = {part: parts[part]() for part in options.only}
    figures["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(figures, indent=1))


def on_planted(rows: list[planted.Planted], cache: FeatureCache) -> dict[str, Any]:
    """Trained on two thirds of the prompts and the phrasings that training may see, asked about the others."""
    items, verdicts = [_planted(row) for row in rows], np.array([row.verdict for row in rows], dtype=np.int8)
    tested = np.array([int(row.group) % 3 == 0 for row in rows])
    new_words = np.array([row.held_out_phrasing for row in rows])
    training = np.flatnonzero(~tested & ~new_words)
    found: dict[str, Any] = {
        "labels to train on": len(training),
        "ties": round(float((verdicts == 0).mean()), 3),
    }
    for title, test in (("known phrasings", tested & ~new_words), ("new phrasings", tested & new_words)):
        places = np.flatnonzero(test)
        groups = [rows[place].group for place in places]
        found[title] = {
            "always longer": _accuracy(_longer(items, places), verdicts[places], groups),
            "labels": {
                str(count): _contest(items, verdicts, training[:count], places, groups, cache)
                for count in LEARNT_FROM
                if count <= len(training)
            },
        }
    return found


def on_demo(seeds: int) -> dict[str, Any]:
    """What the loop makes of the demo as it is shipped and of a larger project by its rules, in a place of its own."""
    with own_servers():
        import demo_rules

        figures = {"as shipped": demo_rules.shipped()}
        if seeds:
            figures[f"texts of {seeds} seeds"] = demo_rules.texts(seeds)
    return figures


def on_pandalm(cache: FeatureCache) -> dict[str, Any]:
    """Real answers of real models, judged by three people: majority verdicts, folds by instruction."""
    rows = json.loads(PANDALM.read_text())
    items, verdicts, groups = [], [], []
    for row in rows:
        majority = Counter(int(row[f"annotator{n}"]) for n in (1, 2, 3)).most_common(1)[0]
        instruction = f"{row['instruction']}\n\n{row['input']}".strip()
        items.append(Compared(instruction, OVERALL, Side(str(row["response1"])), Side(str(row["response2"]))))
        verdicts.append({0: 0, 1: 1, 2: -1}[majority[0]] if majority[1] > 1 else 0)
        groups.append(instruction)
    labels = np.array(verdicts, dtype=np.int8)
    fold = np.array([hashlib.sha256(group.encode()).digest()[0] % FOLDS for group in groups])
    everything = np.arange(len(items))
    margins = {name: np.zeros(len(items)) for name in ("model", "criterion-blind", "shuffled labels")}
    hits = []
    for n in range(FOLDS):
        train, test = everything[fold != n], everything[fold == n]
        for name, margin in _margins(items, labels, train, test, cache).items():
            margins[name][test] = margin
        model = BuiltinModel.train([items[i] for i in train], labels[train], cache=cache)
        scored = model.score([items[i] for i in test], cache=cache)
        with_ties = accuracy_with_ties(scored, labels[test], [groups[i] for i in test])
        if with_ties:
            hits.append(with_ties.value * with_ties.n)
    return {
        **{name: _accuracy(margin, labels, groups) for name, margin in margins.items()},
        "always longer": _accuracy(_longer(items, everything), labels, groups),
        "chance": 0.5,
        "model with ties": round(sum(hits) / len(items), 3),
        "most frequent verdict": round(max(Counter(labels.tolist()).values()) / len(items), 3),
    }


def clock() -> dict[str, Any]:
    """Seconds, by the wall and of the processor, with features at hand: texts under 40 criteria, of random numbers."""
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for count in TIMED_WITH:
        described = _noise(count, rng)
        towards = described.parts["text"].differences.named[:, 0] + rng.logistic(size=count)
        verdicts = np.where(np.abs(towards) < 0.5, 0, np.sign(towards)).astype(np.int8)
        with _timed(found, f"fit {count} labels"):
            model = BuiltinModel.fit(described, verdicts)
    head = model.heads["text"]
    found["dimensions"] = {"d of one side": head.reduction.size, "weights": head.weights.size}
    pool = _noise(POOL, rng)
    with _timed(found, f"score {POOL}"):
        scored = model.score_described(pool)
    groups = pool.place.tolist()
    with _timed(found, f"draw 1000 of {POOL}"):
        epoch(range(POOL), scored.bald, groups, 1000, rng, quotas=fair_quotas(groups))
    return found


@contextmanager
def _timed(found: dict[str, Any], what: str) -> Iterator[None]:
    wall, processor = time.perf_counter(), time.process_time()
    yield
    found[what] = {
        "wall": round(time.perf_counter() - wall, 2),
        "processor": round(time.process_time() - processor, 2),
    }


def _contest(
    items: Sequence[Compared],
    verdicts: Verdicts,
    train: np.ndarray,
    test: np.ndarray,
    groups: list[str],
    cache: FeatureCache,
) -> dict[str, Any]:
    margins = _margins(items, verdicts, train, test, cache)
    return {name: _accuracy(margin, verdicts[test], groups) for name, margin in margins.items()} | {
        "chance": 0.5
    }


def _margins(
    items: Sequence[Compared], verdicts: Verdicts, train: np.ndarray, test: np.ndarray, cache: FeatureCache
) -> dict[str, np.ndarray]:
    seen, asked = [items[i] for i in train], [items[i] for i in test]
    shuffled = np.random.default_rng(0).permutation(verdicts[train])
    contests = {
        "model": (seen, asked, verdicts[train]),
        "criterion-blind": (blind(seen), blind(asked), verdicts[train]),
        "shuffled labels": (seen, asked, shuffled),
    }
    return {
        name: BuiltinModel.train(learnt, labels, cache=cache).score(judged, cache=cache).margin
        for name, (learnt, judged, labels) in contests.items()
    }


def _accuracy(margins: np.ndarray, verdicts: Verdicts, groups: list[str]) -> dict[str, Any] | None:
    found = accuracy(margins, verdicts, groups)
    return {name: round(value, 3) for name, value in asdict(found).items()} if found else None


def _longer(items: Sequence[Compared], places: Iterable[int]) -> np.ndarray:
    return np.array([float(len(items[i].first.text) - len(items[i].second.text)) for i in places])


def _planted(row: planted.Planted) -> Compared:
    return Compared(row.prompt, row.criterion, _side(row.first), _side(row.second))


def _side(shown: str | bytes) -> Side:
    if isinstance(shown, str):
        return Side(shown)
    return Side(medium=MediumRef(hashlib.sha256(shown).digest(), "image", {"web": lambda: io.BytesIO(shown)}))


def _noise(count: int, rng: np.random.Generator) -> Described:
    """As many described items of form text, of random numbers."""
    vectors = rng.normal(size=(40, WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    differences = Differences(
        rng.normal(size=(count, len(NAMES))).astype(np.float32),
        rng.normal(size=(count, WIDTH)).astype(np.float32),
    )
    return Described(
        [f"criterion {n}" for n in range(40)],
        vectors,
        rng.integers(40, size=count),
        {"text": Part(np.arange(count), differences)},
    )


if __name__ == "__main__":
    main()
