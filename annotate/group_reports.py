"""Whether groups of annotators judge differently, kind by kind, for the report: plain values that JSON can hold.

A group of which fewer than SMALLEST_GROUP annotators have judged is told of only as such: neither its numbers nor its
verdicts. Tests use annotators who are in one group of a kind alone: who speaks two languages tells neither apart.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.models import AnnotatorGroup, GroupKind, GroupMember, Pair, Project
from annotate.models.groups import SMALLEST_GROUP
from annotate.stats.estimates import Ints, share, undefined
from annotate.stats.groups import adjusted, homogeneity, table_p
from annotate.stats.labels import USABLE
from annotate.stats.patterns import counted

Json = dict[str, Any]

CRITERIA = 50  # that are tested, those with the most verdicts
COMPARISONS = 30  # that are named
Q = 0.05  # of those called different, so many are expected not to be
HEARD = 2  # verdicts of a group on a comparison from which it has a winner there
_TOO_SMALL = f"Fewer than {SMALLEST_GROUP} of its annotators have judged: it is not shown."


def group_section(project: Project, judged: Any, texts: list[str]) -> list[Json]:
    """A part for each kind that the project has groups of. `judged`: reports.Judged; `texts`: of its criteria."""
    names: dict[str, list[str]] = {}
    for kind, name in (
        AnnotatorGroup.objects.filter(project=project).order_by("name").values_list("kind", "name")
    ):
        names.setdefault(kind, []).append(name)
    place = {pk: n for n, pk in enumerate(judged.annotators.tolist())}
    inside: dict[str, NDArray[np.bool_]] = {
        kind: np.zeros((len(names[kind]), len(place)), dtype=bool) for kind in names
    }
    members = GroupMember.objects.filter(group__project=project)
    for kind, name, pk in members.values_list("group__kind", "group__name", "annotator_id"):
        if pk in place:
            inside[kind][names[kind].index(name), place[pk]] = True
    return [
        _kind(kind, names[kind], inside[kind], judged, texts) for kind in GroupKind.values if kind in names
    ]


def _kind(kind: str, names: list[str], inside: NDArray[np.bool_], judged: Any, texts: list[str]) -> Json:
    shown = inside.sum(axis=1) >= SMALLEST_GROUP
    rows = [_group(name, inside[n], bool(shown[n]), judged) for n, name in enumerate(names)]
    alone = inside.sum(axis=0) == 1
    tested = [n for n in range(len(names)) if shown[n] and (inside[n] & alone).sum() >= SMALLEST_GROUP]
    group_of = np.full(inside.shape[1], -1)
    for place, n in enumerate(tested):
        group_of[inside[n] & alone] = place
    part: Json = {
        "kind": kind,
        "groups": rows,
        "several": int((inside.sum(axis=0) > 1).sum()),
        "none": int((inside.sum(axis=0) == 0).sum()),
        "why": "",
        "criteria": {"rows": [], "more": 0},
        "comparisons": {"rows": [], "tested": 0, "different": 0, "opposite": 0},
    }
    if len(tested) < 2:
        part["why"] = (
            f"There are no two groups of {SMALLEST_GROUP} annotators or more, who have judged and are in one of them alone."
        )
        return part
    part["criteria"] = _criteria(group_of, judged, texts)
    part["comparisons"] = _comparisons([names[n] for n in tested], group_of, judged, texts)
    return part


def _group(name: str, members: NDArray[np.bool_], shown: bool, judged: Any) -> Json:
    if not shown:
        none = undefined(_TOO_SMALL).as_json()
        return {"group": name, "annotators": None, "verdicts": None, **{str(label): none for label in USABLE}}
    said = judged.value[members[judged.rater]]
    return {
        "group": name,
        "annotators": int(members.sum()),
        "verdicts": len(said),
        **{str(label): share(int((said == n).sum()), len(said)).as_json() for n, label in enumerate(USABLE)},
    }


def _criteria(group_of: Ints, judged: Any, texts: list[str]) -> Json:
    used = group_of[judged.rater] >= 0
    criterion = judged.criterion[judged.unit]
    order = np.argsort(-np.bincount(criterion[used], minlength=len(texts)), kind="stable").tolist()
    rows = []
    for place in order[:CRITERIA]:
        mine = used & (criterion == place)
        raters, rater = np.unique(judged.rater[mine], return_inverse=True)
        sizes = np.bincount(group_of[raters], minlength=int(group_of.max()) + 1)
        large = sizes >= SMALLEST_GROUP
        row: Json = {"criterion": texts[place], "annotators": len(raters)}
        if large.sum() < 2:
            why = f"No two groups of {SMALLEST_GROUP} annotators or more judged by it."
            rows.append(row | {"effect": undefined(why).as_json(), "p": None, "exact": False})
            continue
        kept = large[group_of[raters]][rater]
        units, values = judged.unit[mine][kept], judged.value[mine][kept]
        raters, rater = np.unique(judged.rater[mine][kept], return_inverse=True)
        groups = np.unique(group_of[raters], return_inverse=True)[1]
        found = homogeneity(units, rater, values, groups)
        row["annotators"] = len(raters)
        rows.append(row | {"effect": found.effect.as_json(), "p": found.p, "exact": found.exact})
    _correct(rows)
    return {"rows": rows, "more": int(max(0, len(texts) - CRITERIA))}


def _correct(rows: list[Json]) -> None:
    """Add q, the p value corrected for how many are tested here, and whether that calls it different."""
    tested = [row for row in rows if row["p"] is not None]
    for row, q in zip(tested, adjusted(np.array([row["p"] for row in tested])).tolist(), strict=True):
        row |= {"p": round(row["p"], 6), "q": round(q, 6), "different": q <= Q}
    for row in rows:
        row.setdefault("q", None)
        row.setdefault("different", False)


def _comparisons(names: list[str], group_of: Ints, judged: Any, texts: list[str]) -> Json:
    """Each comparison by itself, by the exact test, and where groups have opposite winners."""
    n, values = len(names), len(USABLE)
    group = group_of[judged.rater]
    used = group >= 0
    cells = group[used] * values + judged.value[used]
    tables = counted(judged.unit[used], cells, judged.n, n * values)
    patterns, of = np.unique(tables, axis=0, return_inverse=True)
    by_pattern = np.array(
        [
            np.nan
            if (found := table_p(tuple(map(tuple, row.reshape(n, values).tolist())))) is None
            else found
            for row in patterns
        ]
    )
    p = by_pattern[of.ravel()]
    q = np.full(judged.n, np.nan)
    tested = ~np.isnan(p)
    q[tested] = adjusted(p[tested])
    votes = tables.reshape(judged.n, n, values)
    opposite = _opposite(votes)
    named = np.flatnonzero(opposite | (q <= Q))
    order = named[np.lexsort((named, -votes.sum(axis=(1, 2))[named], np.nan_to_num(p, nan=1.0)[named]))]
    told = order[:COMPARISONS]
    pairs = {
        pair.pk: str(pair) for pair in Pair.objects.filter(pk__in=judged.pairs[judged.pair[told]].tolist())
    }
    rows = [
        {
            "pair": pairs[int(judged.pairs[judged.pair[unit]])],
            "criterion": texts[judged.criterion[unit]],
            "votes": [
                {"group": name} | dict(zip(map(str, USABLE), votes[unit, place].tolist(), strict=True))
                for place, name in enumerate(names)
            ],
            "opposite": bool(opposite[unit]),
            "p": None if np.isnan(p[unit]) else round(float(p[unit]), 6),
            "q": None if np.isnan(q[unit]) else round(float(q[unit]), 6),
        }
        for unit in told.tolist()
    ]
    return {
        "rows": rows,
        "tested": int(tested.sum()),
        "different": int((q <= Q).sum()),
        "opposite": int(opposite.sum()),
    }


def _opposite(votes: Ints) -> NDArray[np.bool_]:
    """(units,) whether one group, of HEARD verdicts or more, has response 1 as its winner and another response 2."""
    ordered = np.sort(votes, axis=2)
    won = (ordered[:, :, -1] > ordered[:, :, -2]) & (votes.sum(axis=2) >= HEARD)
    winner = np.where(won, votes.argmax(axis=2), -1)
    found: NDArray[np.bool_] = (winner == 0).any(axis=1) & (winner == 1).any(axis=1)
    return found
