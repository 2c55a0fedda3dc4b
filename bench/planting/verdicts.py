"""Labelled comparisons of planted responses, and how they are split.

What a criterion finds in a response bends (strengths count by a power), depends on the source (some show a trait more
than others), is masked by other traits and is drawn down by the worst of them: no model that is linear in features of
one response can say it. Differences under TIE are ties; one label in twenty is another than the truth.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from random import Random

from planting.asked import Asked, Kinds, Modality, Traits

TIE = 0.12
FLIPPED = 0.05
ABSENT = 0.25  # of the responses have nothing of a trait
_MASKED, _WORST = 0.5, 0.15
_TRAINED_ON = 2 / 3  # of the sources


@dataclass(frozen=True)
class Response:
    source: int
    content: str | bytes
    traits: Traits


@dataclass(frozen=True)
class Label:
    """The verdict on the responses of these two places: 1 the first, -1 the second, 0 a tie. `truth` is unflipped."""

    source: int
    first: int
    second: int
    criterion: str
    asked: str
    verdict: int
    truth: int
    unseen: bool  # its responses have traits of kinds that training never saw


@dataclass(frozen=True)
class Planted:
    """Train and test share no source, no phrasing of a criterion, and half of the test no kind of trait."""

    modality: Modality
    responses: list[Response]
    train: list[Label]
    test: list[Label]


def plant(modality: Modality, *, sources: int, variants: int, labels: int, pairs: int, seed: int) -> Planted:
    """`variants` responses to each source; `labels` to train on, drawn from all pairs of a source under all criteria;
    of each source that is kept for the test, `pairs` pairs under every criterion.

    Raises:
        ValueError: so many labels cannot be drawn.
    """
    rng = Random(f"{modality.name} {seed}")
    trained_on = round(sources * _TRAINED_ON)
    responses: list[Response] = []
    train: list[Label] = []
    test: list[Label] = []
    pool = []
    for source in range(sources):
        kept = source >= trained_on
        halves = ((variants + 1) // 2, variants // 2) if kept else (variants, 0)
        for half, (count, unseen) in enumerate(zip(halves, (False, True), strict=True)):
            places = range(len(responses), len(responses) + count)
            responses += [_response(rng, modality, source, unseen=unseen) for _ in places]
            couples = [_either_way(rng, couple) for couple in combinations(places, 2)]
            if kept:
                for first, second in rng.sample(couples, min((pairs + 1 - half) // 2, len(couples))):
                    test += [
                        _label(rng, responses, first, second, asked, rng.choice(asked.paraphrases), unseen)
                        for asked in modality.asked
                    ]
            else:
                pool += [(*couple, asked) for couple in couples for asked in modality.asked]
    if labels > len(pool):
        raise ValueError(
            f"{labels} labels cannot be drawn: {sources} sources with {variants} responses have {len(pool)}."
        )
    for first, second, asked in rng.sample(pool, labels):
        train.append(_label(rng, responses, first, second, asked, rng.choice(asked.phrasings), False))
    return Planted(modality, responses, train, test)


def disagreeing(labels: list[Label]) -> Iterator[bool]:
    """Whether the criteria of a label's pair call for different winners."""
    winners: dict[tuple[int, int], set[int]] = {}
    for label in labels:
        winners.setdefault((label.first, label.second), set()).add(label.truth)
    for label in labels:
        yield {1, -1} <= winners[label.first, label.second]


def _response(rng: Random, modality: Modality, source: int, *, unseen: bool) -> Response:
    traits = {
        name: (rng.choice(_of(kinds, unseen)), _strength(rng)) for name, kinds in modality.traits.items()
    }
    return Response(source, modality.make(source, traits, Random(rng.random())), traits)


def _of(kinds: Kinds, unseen: bool) -> tuple[str, ...]:
    return kinds.unseen if unseen else kinds.seen


def _strength(rng: Random) -> float:
    return 0.0 if rng.random() < ABSENT else rng.random()


def _either_way(rng: Random, couple: tuple[int, int]) -> tuple[int, int]:
    return couple if rng.random() < 0.5 else couple[::-1]


def _label(
    rng: Random, responses: list[Response], first: int, second: int, asked: Asked, words: str, unseen: bool
) -> Label:
    found = [_liked(asked, responses[place]) for place in (first, second)]
    difference = found[0] - found[1]
    truth = 0 if abs(difference) < TIE else (1 if difference > 0 else -1)
    verdict = rng.choice([v for v in (-1, 0, 1) if v != truth]) if rng.random() < FLIPPED else truth
    return Label(responses[first].source, first, second, words, asked.name, verdict, truth, unseen)


def _liked(asked: Asked, response: Response) -> float:
    """What a judge who asks for this finds in the response. Higher is better."""
    strengths = {name: much for name, (_, much) in response.traits.items()}
    if asked.trait is None:
        return -max(strengths.values())
    shown = 0.75 + 0.5 * Random(f"{asked.trait} {response.source}").random()
    perceived = shown * strengths[asked.trait] ** asked.bend
    if asked.masked_by:
        perceived *= 1 - _MASKED * strengths[asked.masked_by]
    worst = max((much for name, much in strengths.items() if name != asked.trait), default=0.0)
    return asked.sign * perceived - _WORST * worst**2
