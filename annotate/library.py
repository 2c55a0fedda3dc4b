"""A project's criteria as moderators see them: what waits for a decision, what was decided, what is written alike."""

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q

from annotate import audit
from annotate.meaning import near_criterion
from annotate.models import Criterion, CriterionState, Project, Proposal
from annotate.opposites import opposed
from annotate.queries import VISIBLE_IMPORT, alike
from annotate.visible import visible
from annotate.written import told_of

PAGE = 50
COUNTED = 200  # comparisons of one criterion that its verdicts are told of
_PROMPTS = 5
_HISTORY = 50
NEAR = 6

# What can be listed, and the condition on criterion t for it. In the words of the tabs.
SHOWN = {
    "proposed": "t.state = 'proposed' AND t.canonical_id IS NULL",
    "own": "t.state = 'own' AND t.canonical_id IS NULL",
    "accepted": "t.state = 'accepted' AND NOT t.in_library AND t.canonical_id IS NULL",
    "library": "t.in_library AND t.canonical_id IS NULL",
    "rejected": "t.state = 'rejected' AND t.canonical_id IS NULL",
    "retired": "t.state = 'retired' AND t.canonical_id IS NULL",
    "written": "EXISTS (SELECT FROM annotate_proposal w WHERE w.criterion_id = t.id)",
    "merged": "t.canonical_id IS NOT NULL",
    "all": "true",
}

# The verdicts are those that are counted, of the first comparisons: a criterion of a million pairs is as fast as one of ten.
_ROWS = f"""
    SELECT t.id, t.text, t.state, t.in_library, t.reason, t.version, t.decided_at, t.created_at,
           t.canonical_id, r.text, a.pseudonym,
           (SELECT u.writer FROM annotate_proposal w JOIN annotate_criteriarun u ON u.id = w.run_id
            WHERE w.criterion_id = t.id ORDER BY w.id LIMIT 1),
           (SELECT count(*) FROM annotate_criterion d WHERE d.canonical_id = t.id),
           tally.comparisons, tally.response1, tally.response2, tally.tie, tally.no_opinion,
           (SELECT q.turns -> -1 ->> 'text' FROM annotate_pair p JOIN annotate_prompt q ON q.id = p.prompt_id
            WHERE p.id = tally.pair_id)
    FROM annotate_criterion t
    LEFT JOIN annotate_criterion r ON r.id = t.canonical_id
    LEFT JOIN annotate_annotator a ON a.id = t.author_id
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT c.id) AS comparisons, min(c.pair_id) AS pair_id,
               count(*) FILTER (WHERE j.verdict = 'response1') AS response1,
               count(*) FILTER (WHERE j.verdict = 'response2') AS response2,
               count(*) FILTER (WHERE j.verdict = 'tie') AS tie,
               count(*) FILTER (WHERE j.verdict IN ('cannot_tell', 'not_applicable', 'media_broken')) AS no_opinion
        FROM (SELECT id, pair_id FROM annotate_comparison WHERE criterion_id = t.id LIMIT {COUNTED}) c
        LEFT JOIN annotate_seat s ON s.comparison_id = c.id AND s.head_id IS NOT NULL
        LEFT JOIN annotate_judgment j ON j.id = s.head_id
    ) tally
    WHERE t.project_id = %(project)s AND {visible("t")}
"""
_NAMES = (
    *("id", "text", "state", "in_library", "reason", "version", "decided_at", "created_at"),
    *("canonical", "canonical_text", "author", "writer", "duplicates"),
    *("comparisons", "response1", "response2", "tie", "no_opinion", "prompt"),
)


def listed(project: Project, show: str, *, holding: str = "", after: int = 0) -> list[dict[str, Any]]:
    """A page of criteria, the oldest first: those that SHOWN names by `show`, whose text holds what is given."""
    escaped = holding.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return _rows(
        f"{SHOWN[show]} AND t.id > %(after)s AND (%(holding)s = '' OR t.text ILIKE %(pattern)s)"
        " ORDER BY t.id LIMIT %(most)s",
        project,
        {"after": after, "holding": holding, "pattern": f"%{escaped}%", "most": PAGE},
    )


def rows_of(project: Project, ids: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of some criteria, as they stand now."""
    return _rows("t.id = ANY (%(ids)s) ORDER BY t.id", project, {"ids": list(ids)})


def _rows(condition: str, project: Project, names: dict[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"{_ROWS} AND {condition}", {"project": project.pk, **names})
        return [dict(zip(_NAMES, row, strict=True)) for row in cursor.fetchall()]


def counts(project: Project) -> dict[str, int]:
    """How many criteria each of SHOWN lists."""
    own = Q(canonical__isnull=True)
    of = {state: own & Q(state=state) for state in CriterionState.values}
    of["accepted"] &= Q(in_library=False)
    of |= {"library": own & Q(in_library=True), "merged": Q(canonical__isnull=False)}
    of["written"] = Q(Exists(Proposal.objects.filter(criterion=OuterRef("pk"))))
    found = Criterion.objects.filter(VISIBLE_IMPORT, project=project).aggregate(
        all=Count("pk"), **{name: Count("pk", filter=condition) for name, condition in of.items()}
    )
    return {name: found[name] for name in SHOWN}


def details(criterion: Criterion, *, names: bool) -> dict[str, Any]:
    """What a moderator looks at before deciding about one: where it was written, what is like it, what was decided, and
    what models said that wrote and verified it.

    `names`: tell who decided, which is for managers.
    """
    return {
        "prompts": _prompts(criterion),
        "written": told_of(criterion),
        "near": near(criterion),
        "history": _history(criterion, names),
    }


def near(criterion: Criterion) -> list[dict[str, Any]]:
    """Criteria that it could be merged into: those most like it in meaning or writing, the most alike first.

    Each with its `likeness` (0 to 1), what it is told `by`, and whether one may be the `opposite` of the other.
    """
    others = Criterion.objects.filter(
        VISIBLE_IMPORT,
        project=criterion.project_id,
        canonical__isnull=True,
        state__in=(CriterionState.ACCEPTED, CriterionState.PROPOSED, CriterionState.OWN),
    ).exclude(pk=criterion.pk)
    meant = {row["id"]: row for row in near_criterion(criterion.project, criterion.pk, NEAR)}
    written = dict(alike(others, criterion.text, NEAR))
    rows: dict[int, dict[str, Any]] = {
        row["id"]: {**row, "likeness": written[row["text"]], "by": "writing"}
        for row in others.filter(text__in=written).values("id", "text", "state", "in_library")
    }
    for pk, row in meant.items():
        meaning = row.pop("meaning")
        if pk not in rows or meaning > rows[pk]["likeness"]:
            rows[pk] = {**row, "likeness": meaning, "by": "meaning"}
    best = sorted(rows.values(), key=lambda row: (-row["likeness"], row["id"]))[:NEAR]
    return [
        {**row, "likeness": round(row["likeness"], 3), "opposite": opposed(criterion.text, row["text"])}
        for row in best
    ]


def _prompts(criterion: Criterion) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT p.id, p.source, p.external_id, q.turns, count(j.id) FILTER (WHERE j.verdict = 'response1'),
                   count(j.id) FILTER (WHERE j.verdict = 'response2'), count(j.id) FILTER (WHERE j.verdict = 'tie'),
                   count(j.id) FILTER (WHERE j.verdict NOT IN ('response1', 'response2', 'tie'))
            FROM (SELECT * FROM annotate_comparison WHERE criterion_id = %s ORDER BY id LIMIT {_PROMPTS}) c
            JOIN annotate_pair p ON p.id = c.pair_id AND {visible("p")}
            JOIN annotate_prompt q ON q.id = p.prompt_id
            LEFT JOIN annotate_seat s ON s.comparison_id = c.id LEFT JOIN annotate_judgment j ON j.id = s.head_id
            GROUP BY p.id, q.id ORDER BY p.id
            """,
            [criterion.pk],
        )
        rows = cursor.fetchall()
    return [
        {
            "pair": pair,
            "name": f"{source}/{external_id}" if source else external_id,
            "prompt": "\n\n".join(turn["text"] for turn in json.loads(turns)),
            "response1": response1,
            "response2": response2,
            "tie": tie,
            "no_opinion": no_opinion,
        }
        for pair, source, external_id, turns, response1, response2, tie, no_opinion in rows
    ]


def _history(criterion: Criterion, names: bool) -> list[dict[str, Any]]:
    entries = list(audit.entries_of(criterion, criterion.project).select_related("by")[:_HISTORY])
    merged = {entry.details["into"] for entry in entries if "into" in entry.details}
    texts = dict(Criterion.objects.filter(pk__in=merged).values_list("pk", "text"))
    return [
        {
            "at": entry.at,
            "by": (entry.by.username if entry.by else "the system") if names else "",
            "deed": entry.deed.removesuffix(" criterion"),
            "reason": entry.details.get("now", {}).get("reason", ""),
            "into": texts.get(entry.details.get("into"), ""),
        }
        for entry in entries
    ]
