"""On which side of a release's splits each pair stands, and which pairs are kept out of them and why.

Decided once, right before the release is frozen, over all pairs of the project that can be seen: the frozen rows hold
what was decided. By default the sides are the partitions that imports fixed, and what shares something with an earlier
one leaves the later (`leaks`); where the recipe gives shares, everything is dealt anew by whole components.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from annotate.exports import near
from annotate.exports.choice import recipe_in, settled_of
from annotate.leaks import PARTS
from annotate.models import KeptOut, Release
from annotate.packing import packed
from annotate.splitting import Numbers, assign, behind, components
from annotate.stats.labels import USABLE, Label, final_label, label_of
from annotate.tallies import SETTLED, STANDINGS, TALLY

RANKS = ("reserve", "validation", "train")


# What was decided: a temporary table of this session, which `freeze` reads next.
TABLE = "frozen_side"

_PAIRS = (
    "WITH "
    + PARTS
    + """ {packed}
FROM ranked JOIN annotate_pair p USING (id)
JOIN annotate_response r1 ON r1.id = ranked.response1_id JOIN annotate_response r2 ON r2.id = ranked.response2_id
GROUP BY p.id %% {parts}"""
)
_PAIR = {
    "id": (">i8", "int8send(p.id)"),
    "rank": (">i4", "int4send(rank)"),
    "prompt": (">i8", "int8send(ranked.prompt_id)"),
    "key": (
        ">u8",
        "substring(sha256(convert_to(%(seed)s || p.source || '/' || p.external_id, 'UTF8')) for 8)",
    ),
    "held": (
        "u1",
        "CASE WHEN r1.model_name = ANY (%(models)s::text[]) OR r2.model_name = ANY (%(models)s::text[])"
        " THEN '\\x01'::bytea ELSE '\\x00'::bytea END",
    ),
}
_LINKS = "WITH " + PARTS + " {packed} FROM parts GROUP BY id %% {parts}"
_LINK = {
    "id": (">i8", "int8send(id)"),
    "kind": (">i4", "int4send(CASE kind WHEN 'group' THEN 0 WHEN 'prompt' THEN 1 ELSE 2 END)"),
    "part": (">i8", "int8send(part)"),
}

_LABELS = f"""
WITH {STANDINGS}, {SETTLED}
SELECT s.pair_id, s.task_type, COALESCE(d.verdict, ''), s.criterion_id = ANY (%(criteria)s), {TALLY.replace("verdict", "s.verdict")}
FROM (SELECT u.pair_id, u.criterion_id, u.task_type, CASE WHEN g.standing = 'counted' THEN g.verdict END AS verdict
      FROM (SELECT DISTINCT pair_id, criterion_id, task_type FROM units) u
      LEFT JOIN standings g USING (pair_id, criterion_id)) s
LEFT JOIN settled d USING (pair_id, criterion_id)
GROUP BY 1, 2, 3, 4, s.criterion_id
"""


def criteria_held_out(release: Release) -> list[int]:
    """The criteria that a recipe holds out: of these texts, and those that were merged into them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE held AS (SELECT id FROM annotate_criterion WHERE project_id = %s AND text = ANY (%s)"
            " UNION SELECT c.id FROM annotate_criterion c JOIN held ON c.canonical_id = held.id) SELECT id FROM held",
            [release.project_id, list(recipe_in(release).splits.hold_out_criteria)],
        )
        return sorted(row[0] for row in cursor.fetchall())


def decide(release: Release, found_elsewhere: set[int], tell: Callable[..., None]) -> None:
    """Write for every visible pair of the project its side and why it is kept out into the temporary TABLE.

    Args:
        found_elsewhere: pairs that another benchmark holds too, where such are to be left out.
    """
    splits = recipe_in(release).splits
    shares = splits.deal
    names: dict[str, Any] = {
        "project": release.project_id,
        "seed": str(shares.seed) if shares else "",
        "models": list(splits.hold_out_models),
    }
    pairs = packed(_PAIRS, names, _PAIR)
    pairs = pairs[np.argsort(pairs["id"])]
    ids, rank = pairs["id"].astype(np.int64), pairs["rank"].astype(np.int64) - 1
    links = packed(_LINKS, names, _LINK)
    row = np.searchsorted(ids, links["id"].astype(np.int64))
    # One number for each thing of each kind; group numbers fill 64 bits, so that they cannot be told apart by sums.
    part = np.zeros(len(links), dtype=np.int64)
    for kind in range(3):
        of_kind = links["kind"] == kind
        _, part[of_kind] = np.unique(links["part"][of_kind], return_inverse=True)
        part[of_kind] += part.max(initial=-1) + 1 if kind else 0
    of_assets = links["kind"] == 2
    assets = dict(zip(links["part"][of_assets].tolist(), part[of_assets].tolist(), strict=True))
    kept_out = np.zeros(len(ids), dtype="U14")
    near_row, near_part = _near(release, pairs["prompt"].astype(np.int64), row, part, assets, tell)
    held = pairs["held"].astype(bool)
    if shares:
        all_row, all_part = np.concatenate((row, near_row)), np.concatenate((part, near_part))
        weights, by_criterion = _strata(release, ids)
        rank = assign(
            components(len(ids), all_row, all_part),
            pairs["key"].astype(np.uint64),
            weights,
            np.array([shares.test, shares.validation, 1 - shares.test - shares.validation]),
            held | by_criterion,
        )
    else:
        kept_out[behind(rank, near_row, near_part)] = KeptOut.NEAR
        kept_out[behind(rank, row, part)] = KeptOut.LEAKS
    kept_out[held & (rank > 0)] = KeptOut.HELD_OUT
    if found_elsewhere:
        kept_out[np.isin(ids, np.array(sorted(found_elsewhere)))] = KeptOut.CONTAMINATED
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")  # of an attempt that ended half way
        cursor.execute(f"CREATE TEMPORARY TABLE {TABLE} (pair_id bigint, partition text, kept_out text)")
        with cursor.copy(f"COPY {TABLE} FROM STDIN") as copy:
            for start in range(0, len(ids), 10_000):
                some = slice(start, start + 10_000)
                rows = zip(ids[some].tolist(), rank[some].tolist(), kept_out[some].tolist(), strict=True)
                copy.write("".join(f"{pk}\t{RANKS[to]}\t{why}\n" for pk, to, why in rows))
        cursor.execute(f"ANALYZE {TABLE}")


def _near(
    release: Release,
    prompts: Numbers,
    row: Numbers,
    part: Numbers,
    assets: dict[int, int],
    tell: Callable[..., None],
) -> tuple[Numbers, Numbers]:
    """Links between pairs and the groups of near-duplicates that they hold something of."""
    rows: list[Numbers] = []
    parts: list[Numbers] = []
    next_part = int(part.max(initial=-1)) + 1
    kinds = recipe_in(release).splits.near_duplicates
    groups = near.near_prompts(release, tell) if "text" in kinds else []
    if "meaning" in kinds:
        groups += near.same_meaning(release, recipe_in(release).splits.same_meaning, tell)
    if groups:
        order = np.argsort(prompts, kind="stable")
        for group in groups:
            begin = np.searchsorted(prompts[order], group, side="left")
            end = np.searchsorted(prompts[order], group, side="right")
            rows += [order[a:b] for a, b in zip(begin, end, strict=True)]
            parts.append(np.full(int((end - begin).sum()), next_part))
            next_part += 1
    if "image" in kinds:
        order = np.argsort(part, kind="stable")
        for group in near.near_pictures(release, tell):
            held = [assets[asset] for asset in group if asset in assets]
            begin = np.searchsorted(part[order], held, side="left")
            end = np.searchsorted(part[order], held, side="right")
            rows += [row[order[a:b]] for a, b in zip(begin, end, strict=True)]
            parts.append(np.full(int((end - begin).sum()), next_part))
            next_part += 1
    if not rows:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return np.concatenate(rows), np.concatenate(parts)


def _strata(release: Release, ids: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """How many labelled comparisons each pair has of each task type with and without a tie; and whether one of its
    comparisons is by a criterion that is held out.
    """
    least: int = release.recipe["min_labels"]["reserve"]
    how = settled_of(release)
    names = {
        "project": release.project_id,
        "sources": release.recipe["sources"],
        "criteria": criteria_held_out(release),
    }
    held = np.zeros(len(ids), dtype=bool)
    counts: dict[tuple[str, bool], list[int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_LABELS, names)
        place = {pk: at for at, pk in enumerate(ids.tolist())}
        for pair, task_type, settled, by_held, *tally in cursor.fetchall():
            if pair not in place:  # it came this very moment
                continue
            held[place[pair]] |= by_held
            label, _ = final_label(label_of(tally, least), settled, how)
            if label in USABLE:
                counts.setdefault((task_type, label == Label.TIE), []).append(place[pair])
    weights = np.zeros((len(ids), max(len(counts), 1)), dtype=np.int64)
    for number, (_, rows) in enumerate(sorted(counts.items())):
        np.add.at(weights[:, number], rows, 1)
    return weights, held
