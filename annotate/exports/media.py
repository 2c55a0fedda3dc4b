"""The media of a release: the original coded data with metadata removed, never what was made for viewing."""

from pathlib import Path

from django.db.models import Q

from annotate.actions.jobs import Refused
from annotate.exports.files import new_file
from annotate.exports.records import Medium
from annotate.media import released_bytes
from annotate.modalities.base import MediaError
from annotate.models import Asset, Pair

FOLDER = "media_data"


class MediaFolder:
    """`media_data/` beside the rows that name its files. A file is made when a row first asks for it."""

    def __init__(self, beside: Path) -> None:
        self.root = beside / FOLDER

    def put(self, medium: Medium) -> str:
        """Make sure that the medium's file is there, and return its path relative to media_data.

        Raises:
            Refused: the original is not in storage, or its metadata cannot be removed.
        """
        path = self.root / medium.name
        if not path.exists():
            asset = Asset.objects.get(pk=medium.asset_id)
            try:
                content = released_bytes(asset)
            except MediaError as error:
                raise Refused(f"A file of pair {_a_pair_with(asset)} {error}") from error
            except FileNotFoundError:
                raise Refused(
                    f"A file of pair {_a_pair_with(asset)} is not in storage. Restore it from a backup."
                ) from None
            with new_file(path) as file:
                file.write(content)
        return medium.name

    def read(self, medium: Medium) -> bytes:
        return (self.root / self.put(medium)).read_bytes()


def _a_pair_with(asset: Asset) -> Pair | None:
    """One of the pairs that the asset is part of: enough to find the file by."""
    used = Q(prompt__prompt_assets__asset=asset) | Q(response1__asset=asset) | Q(response2__asset=asset)
    return Pair.objects.filter(used, project=asset.project_id).order_by("pk").first()
