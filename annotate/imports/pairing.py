"""Which two answers to a prompt become a pair, and which of them is response1: pairing designs, without any texts.

A table is, for each prompt, the models that answered it. A design chooses edges between models, prompt by prompt, and
then gives every edge a direction. The direction is an Eulerian orientation of the whole multigraph, so that in every
design and every table each model stands first as often as second, but for one where its number of pairs is odd.
"""

import random
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

DESIGNS = ("all", "random", "balanced", "anchors")
Edge = tuple[int, int]


@dataclass(frozen=True)
class Design:
    """How pairs are chosen.

    `all`: every two models of a prompt. `random`: `per_prompt` of them by chance. `balanced`: `per_prompt` of them, each
    model equally often. `anchors`: each other model beside each anchor; with `per_prompt` so many of these, balanced.
    The same seed chooses the same; what `random` draws for a prompt does not depend on the other prompts.
    """

    kind: Literal["all", "random", "balanced", "anchors"] = "all"
    per_prompt: int | None = None
    anchors: frozenset[str] = frozenset()
    seed: int = 0

    def __post_init__(self) -> None:
        """
        Raises:
            ValueError: options that do not go together; the message says which.
        """
        if self.kind not in DESIGNS:
            raise ValueError(f"there is no design {self.kind!r}: choose from {', '.join(DESIGNS)}.")
        if self.kind in ("random", "balanced") and self.per_prompt is None:
            raise ValueError(f"the design {self.kind} needs the number of pairs of a prompt.")
        if self.kind == "all" and self.per_prompt is not None:
            raise ValueError("the design all takes every pair: choose random or balanced for fewer.")
        if self.per_prompt is not None and self.per_prompt < 1:
            raise ValueError("at least one pair of a prompt is needed.")
        if (self.kind == "anchors") != bool(self.anchors):
            raise ValueError("anchors are named for the design anchors, and for that alone.")


def pairs_of(table: Sequence[tuple[Hashable, Sequence[str]]], design: Design) -> list[list[tuple[str, str]]]:
    """For each (prompt's key, its models): the pairs (response1's model, response2's model).

    No two models make two pairs of one prompt. A prompt with fewer than two models that may meet has none.
    """
    names = sorted({model for _, models in table for model in models})
    numbers = {name: number for number, name in enumerate(names)}
    anchors = {numbers[name] for name in design.anchors if name in numbers}
    answered = [sorted({numbers[model] for model in models}) for _, models in table]
    chosen = _chosen([key for key, _ in table], answered, anchors, design)
    flat = [edge for edges in chosen for edge in edges]
    directed = iter(oriented(flat, len(names), random.Random(f"{design.seed} order")))
    return [[(names[a], names[b]) for a, b in (next(directed) for _ in edges)] for edges in chosen]


def _chosen(
    keys: list[Hashable], answered: list[list[int]], anchors: set[int], design: Design
) -> list[list[Edge]]:
    def candidates(models: list[int]) -> list[Edge]:
        if design.kind == "anchors":
            return [
                (min(a, o), max(a, o)) for a in models if a in anchors for o in models if o not in anchors
            ]
        return list(combinations(models, 2))

    offered = [candidates(models) for models in answered]
    count = design.per_prompt
    if count is None:
        return offered
    if design.kind == "random":
        return [
            sorted(random.Random(f"{design.seed} {key!r}").sample(edges, min(count, len(edges))))
            for key, edges in zip(keys, offered, strict=True)
        ]
    return _balanced(offered, count, random.Random(design.seed))


def _balanced(offered: list[list[Edge]], count: int, chance: random.Random) -> list[list[Edge]]:
    """So many of each prompt's edges that models come up equally often: those that did least so far, then swaps.

    No exchange of one model for another in one pair is left that would make the numbers more equal.
    """
    seen: dict[int, int] = defaultdict(int)
    met: dict[Edge, int] = defaultdict(int)
    chosen: list[list[Edge]] = []
    for edges in offered:
        left = list(edges)
        chance.shuffle(left)
        taken: list[Edge] = []
        for _ in range(min(count, len(left))):
            # Of those that came up least, two that have met least.
            best = min(left, key=lambda e: (seen[e[0]] + seen[e[1]], max(seen[e[0]], seen[e[1]]), met[e]))
            left.remove(best)
            taken.append(best)
            met[best] += 1
            seen[best[0]] += 1
            seen[best[1]] += 1
        chosen.append(taken)
    while _swapped(offered, chosen, seen):
        pass
    return chosen


def _swapped(offered: list[list[Edge]], chosen: list[list[Edge]], seen: dict[int, int]) -> bool:
    """One pass of exchanges, each of which brings two numbers nearer to each other. Whether there was any."""
    any_swap = False
    for edges, taken in zip(offered, chosen, strict=True):
        for at, edge in enumerate(taken):
            free = [other for other in edges if other not in taken and len({*other, *edge}) == 3]
            best, gain = None, 1
            for other in free:
                (out,), (into,) = set(edge) - set(other), set(other) - set(edge)
                if seen[out] - seen[into] > gain:
                    best, gain = other, seen[out] - seen[into]
            if best is not None:
                (out,), (into,) = set(edge) - set(best), set(best) - set(edge)
                seen[out] -= 1
                seen[into] += 1
                taken[at] = best
                any_swap = True
    return any_swap


def oriented(edges: Sequence[Edge], vertices: int, chance: random.Random) -> list[Edge]:
    """The edges of a multigraph, each with a direction, so that at each vertex in and out differ by one at most.

    Vertices of odd degree are joined to one more vertex; then every component has an Eulerian circuit (Hierholzer),
    and along it each vertex is left as often as it is entered. `chance` decides where circuits go.
    """
    at: list[list[tuple[int, int]]] = [[] for _ in range(vertices + 1)]  # (edge, other end)
    for number, (a, b) in enumerate(edges):
        at[a].append((number, b))
        at[b].append((number, a))
    extra = len(edges)
    for vertex in range(vertices):
        if len(at[vertex]) % 2:
            at[vertex].append((extra, vertices))
            at[vertices].append((extra, vertex))
            extra += 1
    for ends in at:
        chance.shuffle(ends)
    used = bytearray(extra)
    directed: list[Edge] = [(0, 0)] * len(edges)
    for start in chance.sample(range(vertices + 1), vertices + 1):
        here = start
        # All degrees are even: a walk that cannot go on is back where it began.
        while at[here]:
            number, there = at[here].pop()
            if used[number]:
                continue
            used[number] = 1
            if number < len(edges):
                directed[number] = (here, there)
            here = there
    return directed
