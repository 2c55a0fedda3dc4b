"""What the embedded reward model learns of the demo's rules, and how fast it is. Prints JSON.

How often it is right on planted preferences and on real texts, accuracy.py tells.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from place import own_servers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workers.reward_models.builtin import BuiltinModel, Described, Part
from workers.reward_models.features.minilm import WIDTH
from workers.reward_models.features.text import NAMES
from workers.reward_models.head import Differences
from workers.sampling import epoch, fair_quotas

TIMED_WITH = (300, 1000, 3000)
POOL = 100_000
PARTS = ("demo", "clock")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
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
    parts: dict[str, Callable[[], dict[str, Any]]] = {"demo": lambda: on_demo(options.seeds), "clock": clock}
    figures: dict[str, Any] = {part: parts[part]() for part in options.only}
    figures["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(figures, indent=1))


def on_demo(seeds: int) -> dict[str, Any]:
    """What the loop makes of the demo as it is shipped and of a larger project by its rules, in a place of its own."""
    with own_servers():
        import demo_rules

        figures = {"as shipped": demo_rules.shipped()}
        if seeds:
            figures[f"texts of {seeds} seeds"] = demo_rules.texts(seeds)
    return figures


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


def _noise(count: int, rng: np.random.Generator) -> Described:
    """As many described items of form text, of random numbers."""
    vectors = rng.normal(size=(40, 2 * WIDTH)).astype(np.float32)
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
