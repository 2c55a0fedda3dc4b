"""What criteria mean, as vectors: made by the workers, compared by PostgreSQL (pgvector)."""

from typing import Any

from django.db import models

from annotate.models.pairs import Criterion

WIDTH = 384  # numbers of a vector: those of the workers' sentence embeddings


class VectorField(models.Field):
    """A pgvector column. It is written and compared by statements of our own; Python reads it as a list of numbers."""

    def db_type(self, connection: Any) -> str:
        return f"vector({WIDTH})"

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> list[float] | None:
        return None if value is None else [float(number) for number in value.strip("[]").split(",")]


class CriterionEmbedding(models.Model):
    """A criterion's vector by one revision of the model. Only vectors of one revision are compared."""

    criterion = models.OneToOneField(Criterion, models.CASCADE, primary_key=True, related_name="embedding")
    revision = models.CharField(max_length=80)
    vector = VectorField()

    def __str__(self) -> str:
        return f"{self.criterion_id} by {self.revision}"


class TypedEmbedding(models.Model):
    """The vector of what somebody is typing, for a while. Named by the text's hash: the text itself is not kept."""

    digest = models.BinaryField(max_length=32, primary_key=True)
    revision = models.CharField(max_length=80)
    vector = VectorField()
    made_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["made_at"], name="typed_made")]

    def __str__(self) -> str:
        return f"something typed, by {self.revision}"
