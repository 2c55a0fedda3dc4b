"""Criteria that mean nearly the same, whatever their words, by the vectors that workers make of them.

Vectors of one project are compared one by one: exact, and as fast as anybody waits for (bench/meaning.py). What has no
vector yet is found by its writing alone (`likeness`); without workers everything is.
"""

import hashlib
from typing import Any

from django.db import connection

from annotate.later import send_on_commit
from annotate.models import Annotator, Project, TypedEmbedding
from annotate.opposites import opposed
from annotate.visible import visible

# Cosine from which two criteria are shown side by side. Of the paraphrases in tests/reward_models/paraphrases.py, in a
# library full of sentences about the same things, 56 % are then among the six shown (by writing alone 11 %); 6 % of all
# pairs of sentences reach it. Higher loses paraphrases, and no threshold tells opposites, which are nearer than these:
# whoever merges is warned of them (`opposites`), and a person decides.
LEAST = 0.4
_EXPIRES = 10  # seconds after which what was typed has long become something else
_SHORTEST = 8  # characters typed from which they are compared by meaning

# The distances first, alone: what is sorted then are numbers, not vectors.
_NEAR = f"""
    WITH scored AS MATERIALIZED (
        SELECT t.id, e.vector <=> o.vector AS distance
        FROM {{of}} o
        JOIN annotate_criterion t ON t.project_id = %(project)s AND t.canonical_id IS NULL AND {visible("t")}
        JOIN annotate_criterionembedding e ON e.criterion_id = t.id AND e.revision = o.revision
        WHERE {{which}}
    )
    SELECT t.id, t.text, t.state, t.in_library, 1 - s.distance
    FROM (SELECT * FROM scored ORDER BY distance, id LIMIT %(most)s) s JOIN annotate_criterion t ON t.id = s.id
    ORDER BY s.distance, s.id
"""
_NEAR_CRITERION = _NEAR.format(
    of="annotate_criterionembedding",
    which="o.criterion_id = %(criterion)s AND t.id <> o.criterion_id AND t.state NOT IN ('rejected', 'retired')",
)
_NEAR_TYPED = _NEAR.format(
    of="annotate_typedembedding",
    which="o.digest = %(digest)s"
    " AND (t.in_library OR t.author_id = %(annotator)s AND t.state IN ('proposed', 'own'))",
)
_NAMES = ("id", "text", "state", "in_library", "meaning")


def near_criterion(project: Project, criterion_id: int, most: int) -> list[dict[str, Any]]:
    """Criteria of the project that mean nearly the same, with the cosine as `meaning`, the nearest first."""
    return _near(_NEAR_CRITERION, {"project": project.pk, "criterion": criterion_id, "most": most})


def near_typed(
    project: Project, typed: str, annotator: Annotator | None, most: int
) -> tuple[list[tuple[str, float]], bool]:
    """Criteria to suggest that mean nearly what is typed, with the cosine; and whether it pays to ask again soon.

    A text whose vector is not known is sent to the workers: nobody waits for them.
    """
    digest = hashlib.sha256(typed.encode()).digest()
    if len(typed) < _SHORTEST:
        return [], False
    if not TypedEmbedding.objects.filter(digest=digest).exists():
        send_on_commit("workers.tasks.embed_typed", typed, expires=_EXPIRES)
        return [], True
    names = {
        "project": project.pk,
        "digest": digest,
        "annotator": annotator.pk if annotator else None,
        "most": most,
    }
    # Opposites are nearest of all, and not what is meant.
    return [
        (row["text"], row["meaning"]) for row in _near(_NEAR_TYPED, names) if not opposed(typed, row["text"])
    ], False


def _near(statement: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, names)
        rows = [dict(zip(_NAMES, row, strict=True)) for row in cursor.fetchall()]
    return [row for row in rows if row["meaning"] >= LEAST]


def missing_embeddings(revision: str, most: int) -> list[tuple[int, str]]:
    """(id, text) of criteria without a vector of this revision of the model, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT t.id, t.text FROM annotate_criterion t
            WHERE {visible("t")} AND NOT EXISTS (SELECT FROM annotate_criterionembedding e
                                                 WHERE e.criterion_id = t.id AND e.revision = %s)
            ORDER BY t.id DESC LIMIT %s
            """,
            [revision, most],
        )
        return list(cursor.fetchall())
