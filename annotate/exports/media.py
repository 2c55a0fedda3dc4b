"""The media of a release: the original coded data with metadata removed, never what was made for viewing."""

from pathlib import Path

from django.core.files.storage import default_storage

from annotate.actions.jobs import Refused
from annotate.exports.files import new_file
from annotate.exports.records import Medium

FOLDER = "media_data"


class MediaFolder:
    """`media_data/` beside the rows that name its files. A file is made when a row first asks for it."""

    def __init__(self, beside: Path) -> None:
        self.root = beside / FOLDER

    def put(self, medium: Medium) -> str:
        """Make sure that the medium's file is there; its path relative to media_data.

        Raises:
            Refused: the original is not in storage, or its metadata cannot be removed.
        """
        path = self.root / medium.name
        if not path.exists():
            try:
                with default_storage.open(medium.key) as file:
                    original = file.read()
            except FileNotFoundError:
                raise Refused(
                    f"The original of medium {medium.sha256[:12]} is not in storage: restore it from a backup."
                ) from None
            from annotate.modalities import strip_metadata

            try:
                content = strip_metadata(original, medium.modality, medium.extension)
            except ValueError as error:
                raise Refused(f"Medium {medium.sha256[:12]} ({medium.extension}): {error}") from error
            with new_file(path) as out:
                out.write(content)
        return medium.name

    def read(self, medium: Medium) -> bytes:
        return (self.root / self.put(medium)).read_bytes()
