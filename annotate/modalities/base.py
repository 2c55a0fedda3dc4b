"""What every house of media says about a file."""

from dataclasses import dataclass

from annotate.models import Modality


class MediaError(Exception):
    """The file cannot be taken as media. The message says why."""


@dataclass(frozen=True)
class Kind:
    """What a file is, decided from its bytes."""

    modality: Modality
    media_type: str
    extension: str
