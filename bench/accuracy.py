"""How often the embedded model is right: on planted preferences of five modalities, and on real texts.

For each modality, responses to sources are made by code (`planting`, which shares no import with features), their
renditions by the media sandbox as in the product, and the model learns from 300, 1,000 and 3,000 labels. It is tested
on other sources, under paraphrases that training never saw, half of it with kinds of traits that training never saw.
Beside it stand the same model blind to the criterion, the same head on nothing but the length (of a text, of a medium's
file), the same model on shuffled labels, Bradley-Terry with a threshold for ties, and what the truth itself scores:
labels have 5% errors, in the test too. Real texts are judged crosswise: PandaLM (three people's majority) and LLMBar.

Accuracies are [value, low, high] with 95% intervals, bootstrapped by source or instruction. Prints JSON. The whole run
takes minutes, most of them for rendering; with --cache a second one has its features at hand. No servers are needed.
"""

import argparse
import hashlib
import io
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from planting import images, meshes, sounds, texts, verdicts, videos
from planting.asked import Modality
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workers.evaluation.thresholds import best_threshold, call
from workers.reward_models.base import Compared, Floats, MediumRef, Scored, Side, Verdicts
from workers.reward_models.builtin import BuiltinModel, Described, Part, describe
from workers.reward_models.evaluation import Accuracy, accuracy, accuracy_with_ties, blind, gain, interval
from workers.reward_models.features.cache import DirectoryCache, FeatureCache
from workers.reward_models.features.media import media_features, signal_features
from workers.reward_models.head import Differences

MODALITIES = {m.name: m for m in (texts.TEXT, images.IMAGE, sounds.SOUND, videos.VIDEO, meshes.MESH)}
TEXTS = Path(__file__).resolve().parent.parent.parent / "shared/data/text"
COUNTS = (300, 1000, 3000)
# Sources, responses to each, test pairs of each source that is kept from training. Fewer where rendering takes longest.
SIZES = {"mesh": (24, 10, 24), "video": (30, 10, 20)}
USUAL = (60, 10, 12)
SMALL = (9, 6, 6)
FOLDS = 5
# Where a text of PandaLM and LLMBar is said to be better, it is by this.
OVERALL = "The response follows the instruction and is of higher quality"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = (*MODALITIES, "pandalm", "llmbar")
    parser.add_argument(
        "--only", nargs="+", choices=parts, default=parts, metavar="PART", help=", ".join(parts)
    )
    parser.add_argument(
        "--small", action="store_true", help="a run of seconds that shows no more than that all works"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="where features are kept between runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        # The sandbox asks Django's settings for nothing but that they are there.
        os.environ |= {"DATA_DIR": passing, "DJANGO_SETTINGS_MODULE": "webapp.settings"}
        import django

        django.setup()
        cache = DirectoryCache(options.cache or Path(passing) / "features")
        figures: dict[str, Any] = {}
        for part in options.only:
            if part in MODALITIES:
                figures[part] = on_planted(MODALITIES[part], cache, seed=options.seed, small=options.small)
            else:
                figures[part] = on_real(*(pandalm() if part == "pandalm" else llmbar()), cache)
    # Each interval on one line.
    print(
        re.sub(
            r"\[\s+([^][{}]*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", json.dumps(figures, indent=1)
        )
    )


def on_planted(modality: Modality, cache: FeatureCache, *, seed: int, small: bool) -> dict[str, Any]:
    sources, variants, pairs = SMALL if small else SIZES.get(modality.name, USUAL)
    counts = (100,) if small else COUNTS
    planted = verdicts.plant(
        modality, sources=sources, variants=variants, labels=counts[-1], pairs=pairs, seed=seed
    )
    sides, lengths = _sides(planted, cache)
    tested = _Labelled(planted, planted.test, sides, lengths)
    clash = np.array(list(verdicts.disagreeing(planted.test)))
    unseen = np.array([label.unseen for label in planted.test])
    truth = np.array([label.truth for label in planted.test], dtype=np.int8)
    found: dict[str, Any] = {
        "responses": len(planted.responses),
        "tested": len(tested.items),
        "ties": round(float((tested.verdicts == 0).mean()), 3),
        "the truth itself": {
            "without ties": _told(accuracy(truth.astype(float), tested.verdicts, tested.groups)),
            "with ties": _told(interval((truth == tested.verdicts).astype(float), tested.groups)),
        },
    }
    for count in counts:
        learnt = _Labelled(planted, planted.train[:count], sides, lengths)
        scored = _contest(learnt, tested, cache)
        model, other = scored["model"], scored["criterion-blind"]
        called, threshold = _thresholded(learnt, tested, cache)
        hits = (_likeliest(model) == tested.verdicts).astype(float)
        theirs = (called == tested.verdicts).astype(float)
        found[f"{count} labels"] = {
            **{
                name: {
                    "without ties": _told(accuracy(one.margin, tested.verdicts, tested.groups)),
                    "with ties": _told(accuracy_with_ties(one, tested.verdicts, tested.groups)),
                }
                for name, one in scored.items()
            },
            "where criteria disagree": {
                "model": tested.told(model.margin, clash),
                "criterion-blind": tested.told(other.margin, clash),
                "gain": tested.told(model.margin, clash, other.margin),
            },
            "Bradley-Terry with a threshold": {
                "with ties": _told(interval(theirs, tested.groups)),
                "Rao-Kupper's gain": _told(interval(hits - theirs, tested.groups)),
                "threshold": threshold,
            },
            "kinds seen": tested.told(model.margin, ~unseen),
            "kinds unseen": tested.told(model.margin, unseen),
            "by criterion": {
                asked.name: tested.told(
                    model.margin, np.array([label.asked == asked.name for label in planted.test])
                )
                for asked in modality.asked
            },
            "calibration": _calibration(model, tested.verdicts),
        }
    return found


class _Labelled:
    """Labels as the model gets them."""

    def __init__(
        self,
        planted: verdicts.Planted,
        labels: Sequence[verdicts.Label],
        sides: list[Side],
        lengths: list[float],
    ) -> None:
        prompt = planted.modality.prompt
        self.items = [
            Compared(prompt(label.source), label.criterion, sides[label.first], sides[label.second])
            for label in labels
        ]
        self.verdicts = np.array([label.verdict for label in labels], dtype=np.int8)
        self.groups = [label.source for label in labels]
        self.longer = np.array(
            [[lengths[label.first] - lengths[label.second]] for label in labels], dtype=np.float32
        )

    def told(self, margins: Floats, rows: Any, others: Floats | None = None) -> list[float] | None:
        """Accuracy without ties of some rows, or what it has more than another's."""
        groups = [group for group, kept in zip(self.groups, rows, strict=True) if kept]
        if others is None:
            return _told(accuracy(margins[rows], self.verdicts[rows], groups))
        return _told(gain(margins[rows], others[rows], self.verdicts[rows], groups))


def _contest(learnt: _Labelled, tested: _Labelled, cache: FeatureCache) -> dict[str, Scored]:
    """The model and its controls, trained on the one and asked about the other."""
    seen, asked = describe(learnt.items, cache), describe(tested.items, cache)
    shuffled = np.random.default_rng(0).permutation(learnt.verdicts)
    contests = {
        "model": (seen, asked, learnt.verdicts),
        "criterion-blind": (
            describe(blind(learnt.items), cache),
            describe(blind(tested.items), cache),
            learnt.verdicts,
        ),
        "length only": (_only(seen, learnt.longer), _only(asked, tested.longer), learnt.verdicts),
        "shuffled labels": (seen, asked, shuffled),
    }
    return {
        name: BuiltinModel.fit(described, labels).score_described(others)
        for name, (described, others, labels) in contests.items()
    }


def _only(described: Described, longer: np.ndarray) -> Described:
    """The same comparisons with nothing to be seen of them but which is longer."""
    (form,) = described.parts
    nothing = np.zeros((len(longer), 0), dtype=np.float32)
    part = Part(described.parts[form].rows, Differences(longer, nothing))
    return Described(described.criteria, described.vectors, described.place, {form: part})


def _thresholded(learnt: _Labelled, tested: _Labelled, cache: FeatureCache) -> tuple[Verdicts, float | None]:
    """Bradley-Terry by the same head: ties are left out, by which its own threshold falls to nothing, and called where
    the margin stays under a threshold that was chosen on margins from crosswise training, by source."""

    def margins(train: list[int], test: list[Compared]) -> Floats:
        decided = [row for row in train if learnt.verdicts[row]]
        model = BuiltinModel.train(
            [learnt.items[row] for row in decided], learnt.verdicts[decided], cache=cache
        )
        return model.score(test, cache=cache).margin

    crosswise = np.zeros(len(learnt.items))
    for fold in range(FOLDS):
        test = [row for row, source in enumerate(learnt.groups) if source % FOLDS == fold]
        train = [row for row, source in enumerate(learnt.groups) if source % FOLDS != fold]
        crosswise[test] = margins(train, [learnt.items[row] for row in test])
    threshold = best_threshold(crosswise, learnt.verdicts)
    everything = list(range(len(learnt.items)))
    return call(margins(everything, tested.items), threshold), threshold.epsilon


def _sides(planted: verdicts.Planted, cache: FeatureCache) -> tuple[list[Side], list[float]]:
    """The responses as reward models see them, the features of their renditions computed; and the log of their lengths."""
    contents = [response.content for response in planted.responses]
    if planted.modality.name == "text":
        return [Side(str(text)) for text in contents], [float(np.log1p(len(text))) for text in contents]
    files = [content for content in contents if isinstance(content, bytes)]
    keys = [hashlib.sha256(content).digest() for content in files]
    name = planted.modality.name
    missing = [place for place, known in enumerate(_known(name, keys, cache)) if not known]
    for place, renditions in _rendered(planted.modality, files, missing):
        opens = {kind: (lambda content=content: io.BytesIO(content)) for kind, content in renditions.items()}
        row = media_features(name, [MediumRef(keys[place], name, opens)], cache)
        if np.isnan(row).any():
            raise SystemExit(f"{name} {place} has no features.")
    return [Side(medium=MediumRef(key, name, {})) for key in keys], [
        float(np.log(len(file))) for file in files
    ]


def _known(modality: str, keys: list[bytes], cache: FeatureCache) -> list[bool]:
    known = cache.get(signal_features(modality).version, keys)
    return [key in known for key in keys]


def _rendered(
    modality: Modality, files: list[bytes], places: list[int]
) -> Iterator[tuple[int, dict[str, bytes]]]:
    """(place, renditions by kind) of files, as the product makes them."""
    from annotate.modalities import HOUSES, Kind
    from annotate.modalities.sandbox import MediaSandbox, Request
    from annotate.models import Modality as Named

    kind = Kind(Named(modality.name), modality.media_type, "")
    wanted = [name for name in ("web", "sheet") if name in HOUSES[kind.modality].KINDS]

    def rendered(place: int) -> dict[str, bytes]:
        with tempfile.TemporaryFile() as source:
            source.write(files[place])
            source.flush()
            made = {}
            for rendition in pool.examine(Request(source, kind, wanted)).renditions:
                with rendition.file as file:
                    made[rendition.kind] = file.read()
            return made

    with MediaSandbox() as pool:
        under_way = [(place, pool.submit(rendered, place)) for place in places]
        for place, made in tqdm(under_way, desc=modality.name, unit="file", disable=None):
            yield place, made.result()


def pandalm() -> tuple[list[Compared], Verdicts]:
    """What two of three people say; a tie where all differ."""
    items, labels = [], []
    for row in json.loads((TEXTS / "pandalm-testset-v1.json").read_text()):
        (verdict, votes), *_ = Counter(int(row[f"annotator{n}"]) for n in (1, 2, 3)).most_common(1)
        items.append(
            _asked(f"{row['instruction']}\n\n{row['input']}", str(row["response1"]), str(row["response2"]))
        )
        labels.append({0: 0, 1: 1, 2: -1}[verdict] if votes > 1 else 0)
    return items, np.array(labels, dtype=np.int8)


def llmbar() -> tuple[list[Compared], Verdicts]:
    rows = json.loads((TEXTS / "llmbar-natural.json").read_text())
    items = [_asked(row["input"], row["output_1"], row["output_2"]) for row in rows]
    return items, np.array([1 if row["label"] == 1 else -1 for row in rows], dtype=np.int8)


def _asked(instruction: str, first: str, second: str) -> Compared:
    return Compared(instruction.strip(), OVERALL, Side(first), Side(second))


def on_real(items: list[Compared], labels: Verdicts, cache: FeatureCache) -> dict[str, Any]:
    """Folds by instruction. There is one criterion only, so none is told from another."""
    groups = [item.prompt_text for item in items]
    fold = np.array([hashlib.sha256(group.encode()).digest()[0] % FOLDS for group in groups])
    longer = np.array(
        [[np.log1p(len(i.first.text)) - np.log1p(len(i.second.text))] for i in items], dtype=np.float32
    )
    columns: dict[str, Floats] = {
        name: np.zeros(len(items)) for name in ("model", "length only", "shuffled labels")
    }
    called: dict[str, Verdicts] = {
        name: np.zeros(len(items), dtype=np.int8) for name in (*columns, "most frequent verdict")
    }
    for n in range(FOLDS):
        train, test = np.flatnonzero(fold != n), np.flatnonzero(fold == n)
        seen, asked = (describe([items[i] for i in rows], cache) for rows in (train, test))
        shuffled = np.random.default_rng(0).permutation(labels[train])
        contests = {
            "model": (seen, asked, labels[train]),
            "length only": (_only(seen, longer[train]), _only(asked, longer[test]), labels[train]),
            "shuffled labels": (seen, asked, shuffled),
        }
        for name, (described, others, taught) in contests.items():
            scored = BuiltinModel.fit(described, taught).score_described(others)
            columns[name][test], called[name][test] = scored.margin, _likeliest(scored)
        values, counts = np.unique(labels[train], return_counts=True)
        called["most frequent verdict"][test] = values[counts.argmax()]
    return {
        "pairs": len(items),
        "ties": round(float((labels == 0).mean()), 3),
        "without ties": {name: _told(accuracy(margin, labels, groups)) for name, margin in columns.items()}
        | {"gain over length": _told(gain(columns["model"], columns["length only"], labels, groups))},
        "with ties": {
            name: _told(interval((verdict == labels).astype(float), groups))
            for name, verdict in called.items()
        },
    }


def _likeliest(scored: Scored) -> Verdicts:
    return (np.stack([scored.p_second, scored.p_tie, scored.p_first]).argmax(axis=0) - 1).astype(np.int8)


def _calibration(scored: Scored, labels: Verdicts) -> dict[str, float]:
    """How sure the model is of the verdict that it calls, beside how often it is right; the mean distance between the
    two over ten bins of sureness (expected calibration error); and the log loss in nats, beside that of frequencies."""
    p = np.stack([scored.p_second, scored.p_tie, scored.p_first])
    sure, hits = p.max(axis=0), (p.argmax(axis=0) - 1 == labels).astype(float)
    bins = np.minimum((10 * sure).astype(int), 9)
    error = sum(
        abs(sure[bins == n].mean() - hits[bins == n].mean()) * (bins == n).mean() for n in np.unique(bins)
    )
    shares = np.array([(labels == verdict).mean() for verdict in (-1, 0, 1)])
    figures = {
        "sure": sure.mean(),
        "right": hits.mean(),
        "error": error,
        "log loss": -np.log(p[labels + 1, np.arange(len(labels))]).mean(),
        "of frequencies": -(shares * np.log(np.maximum(shares, 1e-9))).sum(),
    }
    return {name: round(float(value), 3) for name, value in figures.items()}


def _told(found: Accuracy | None) -> list[float] | None:
    return [round(value, 3) for value in (found.value, found.low, found.high)] if found else None


if __name__ == "__main__":
    main()
