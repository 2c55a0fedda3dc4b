"""Vectors of criteria and of what is typed, kept as the workers make them. They follow from texts: no audit rows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from annotate.models import TypedEmbedding

TYPED_KEPT = timedelta(hours=1)


def keep_embeddings(*, revision: str, vectors: Mapping[int, Sequence[float]]) -> None:
    """Keep vectors of criteria, by their ids, in place of those that an earlier revision of the model made."""
    with connection.cursor() as cursor:
        # Those of a criterion that was removed meanwhile, with its import, have no place.
        cursor.execute(
            """
            INSERT INTO annotate_criterionembedding (criterion_id, revision, vector)
            SELECT t.id, %s, made.vector::vector
            FROM unnest(%s::bigint[], %s::text[]) AS made (id, vector)
            JOIN annotate_criterion t ON t.id = made.id
            ON CONFLICT (criterion_id) DO UPDATE SET revision = excluded.revision, vector = excluded.vector
            """,
            [revision, list(vectors), [_written(vector) for vector in vectors.values()]],
        )


def keep_typed(*, revision: str, digest: bytes, vector: Sequence[float]) -> None:
    """Keep the vector of a text that is being typed, by the text's hash, for TYPED_KEPT."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO annotate_typedembedding (digest, revision, vector, made_at) VALUES (%s, %s, %s::vector, %s)
            ON CONFLICT (digest) DO UPDATE SET revision = excluded.revision, vector = excluded.vector,
                                               made_at = excluded.made_at
            """,
            [digest, revision, _written(vector), timezone.now()],
        )


def forget_typed() -> None:
    TypedEmbedding.objects.filter(made_at__lt=timezone.now() - TYPED_KEPT).delete()


def _written(vector: Sequence[float]) -> str:
    return f"[{','.join(f'{number:.6g}' for number in vector)}]"
