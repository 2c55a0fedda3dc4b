"""What the readers of published data share: which side stands first, and the label that a row carries."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from annotate.imports import checks
from annotate.imports.record import AskedCriterion, Label, MediaRef, RowError, Side
from annotate.imports.schemas.context import OVERALL, PUBLISHED, Context
from annotate.imports.schemas.evenhand import media as own_media
from annotate.models import Modality


def in_secret_order(context: Context, better: Side, worse: Side) -> tuple[Side, Side, str]:
    """(response1, response2, the verdict for the better one), so that the better one is not always the first.

    A salted hash of the two decides, so the same two stand in the same order under every criterion.
    """
    if context.secret_order(side_key(better)) > context.secret_order(side_key(worse)):
        return worse, better, "response2"
    return better, worse, "response1"


def media_key(ref: MediaRef | None) -> str:
    """A media file as its row names it: by path, or by content where it is embedded."""
    if ref is None:
        return ""
    return ref.path if ref.data is None else hashlib.sha256(ref.data).hexdigest()


def side_key(side: Side) -> str:
    return json.dumps([side.text, media_key(side.media), side.model])


def content_name(*content: Any) -> str:
    """An external id for rows that have none of their own: a digest of what they hold."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def overall(
    context: Context,
    verdict: str | None,
    *,
    own: Any = None,
    annotator: str = PUBLISHED,
    tie_kind: str = "",
    **evidence: Any,
) -> tuple[AskedCriterion, ...]:
    """The one criterion of rows that say which response is better, but not by what, with the row's own verdict.

    `own`: the criterion that a row names all the same, as those of our releases do.
    """
    labels: tuple[Label, ...] = ()
    if verdict and context.labels:
        labels = (Label(annotator, verdict, tie_kind=tie_kind, evidence=evidence),)
    text = checks.text(own, "criterion") if own else context.criterion or OVERALL
    asked = AskedCriterion(text, context.k or (1 if labels else None), labels)
    return (checks.criterion(asked, "criterion"),)


def medium(value: Any, field: str, expects: Modality) -> MediaRef:
    """A media file by its path or embedded, which must be of this modality."""
    ref = own_media(value, field)
    return MediaRef(field, ref.path, ref.data, expects)


def two(value: Any, field: str) -> list[Any]:
    """
    Raises:
        RowError: not a list of two.
    """
    if not isinstance(value, list) or len(value) != 2:
        raise RowError(field, "must be a list of two, one of either response.")
    return value


def kept(row: Mapping[str, Any], columns: tuple[str, ...]) -> dict[str, Any]:
    """Those columns as the pair's metadata, where the row has them."""
    return checks.metadata(
        {column: row[column] for column in columns if row.get(column) not in (None, "")}, "metadata"
    )
