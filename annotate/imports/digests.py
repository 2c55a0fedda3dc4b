"""What identifies content, and what decides by chance that must come out the same at every import.

Digests say "the same content"; the salted ones order pairs and share them out, so that nobody who knows the file
can tell which pairs are kept back.
"""

import hashlib
import hmac
import json
import struct
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

from annotate.imports.record import PairRow
from annotate.models import Partition

_LENGTH = struct.Struct(">Q").pack
_JUDGMENTS = UUID("5f0e7d0c-5f5e-4b8e-9d4b-6c1c3d0f2a11")


def _digest(*parts: bytes) -> bytes:
    """SHA-256 of the parts, each with its length before it, so that no two lists of parts read alike."""
    # One call on the whole costs half of two calls a part.
    pieces = [b""] * (2 * len(parts))
    pieces[::2] = map(_LENGTH, map(len, parts))
    pieces[1::2] = parts
    return hashlib.sha256(b"".join(pieces)).digest()


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode() if value else b""


def prompt_digest(turns: Sequence[tuple[str, str]], media: Sequence[bytes]) -> bytes:
    """`media`: the SHA-256 of each of the prompt's files."""
    return _digest(*(part.encode() for turn in turns for part in turn), b"media", *media)


def pair_digest(row: PairRow, prompt: bytes, media: tuple[bytes | None, bytes | None]) -> bytes:
    """Of everything that a pair holds, but not of its criteria: those may come later, from another row or file."""
    one, two = row.response1, row.response2
    return _digest(
        prompt,
        one.text.encode(),
        media[0] or b"",
        one.model.encode(),
        _json(one.metadata),
        two.text.encode(),
        media[1] or b"",
        two.model.encode(),
        _json(two.metadata),
        row.task_type.encode(),
        b"" if row.group is None else b"=" + row.group.encode(),
        b"sensitive" if row.sensitive else b"",
        _json(row.metadata),
    )


def of_text(row: PairRow) -> tuple[bytes, bytes] | None:
    """(the prompt's, the pair's) of a row without media; None of one whose files must be seen first."""
    if row.media or row.response1.media or row.response2.media:
        return None
    prompt = prompt_digest(row.turns, ())
    return prompt, pair_digest(row, prompt, (None, None))


def _signed(digest: bytes) -> int:
    """The first eight bytes as PostgreSQL's bigint."""
    return int.from_bytes(digest[:8], "big", signed=True)


class Chance:
    """What a project's salt decides: nobody who does not know it can tell how."""

    def __init__(self, salt: str) -> None:
        # To set the key costs most of one; it is set once.
        self._keyed = {
            purpose: hmac.new(salt.encode(), purpose.encode() + b"\0", "sha256")
            for purpose in ("group", "named group", "shuffle", "partition")
        }

    def _salted(self, purpose: str, message: bytes) -> bytes:
        keyed = self._keyed[purpose].copy()
        keyed.update(message)
        return keyed.digest()

    def group(self, row: PairRow, prompt: bytes) -> int:
        """The prompt group: pairs of one prompt, or of one group that the rows name."""
        if row.group is not None:
            return _signed(self._salted("named group", row.group.encode()))
        return _signed(self._salted("group", prompt))

    def shuffle(self, source: str, external_id: str) -> int:
        """The pair's place in the order of uniform draws."""
        return _signed(self._salted("shuffle", f"{source}\0{external_id}".encode()))

    def partition(self, group: int, reserve_share: float, validation_share: float) -> Partition:
        """Where a group goes that the project has not seen before. With a larger share, what was in stays in."""
        digest = self._salted("partition", group.to_bytes(8, "big", signed=True))
        place = int.from_bytes(digest[:6], "big") / 2**48  # in [0, 1)
        if place < reserve_share:
            return Partition.RESERVE
        if place >= 1 - validation_share:
            return Partition.VALIDATION
        return Partition.TRAIN


def pseudonym(key: str, source: str, annotator: str) -> str:
    """The pseudonym of somebody whom a source names. The same name in another source is somebody else."""
    secret = hmac.digest(
        key.encode(), b"\0".join((b"annotator", source.encode(), annotator.encode())), "sha256"
    )
    return f"imported-{secret.hex()[:12]}"


def judgment_id(project: int, source: str, external_id: str, criterion_key: bytes, annotator: str) -> UUID:
    """One person's label on one criterion of one pair has one id, however often it is imported."""
    parts = (source.encode(), external_id.encode(), criterion_key, annotator.encode())
    return uuid5(_JUDGMENTS, _digest(str(project).encode(), *parts).hex())
