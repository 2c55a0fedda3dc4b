"""What every house of media says about a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the child processes, which hold no Django, know these names too
    from annotate.models import Modality


class MediaError(Exception):
    """The file cannot be taken as media. The message says why."""


@dataclass(frozen=True)
class Kind:
    """What a file is, decided from its bytes."""

    modality: Modality
    media_type: str
    extension: str
