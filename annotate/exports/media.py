"""The media of a release: the original coded data with metadata removed, never what was made for viewing.

Beside a mesh lies its turntable sheet: where pictures are asked for, that is what a mesh is published as.
"""

from pathlib import Path

from django.core.files.storage import default_storage
from django.db.models import Q

from annotate.actions.jobs import Refused
from annotate.exports.files import new_file
from annotate.exports.records import Medium
from annotate.media import write_released
from annotate.modalities.base import MediaError
from annotate.modalities.sandbox import MediaSandbox
from annotate.models import Asset, Derivative, Pair

FOLDER = "media_data"


class MediaFolder:
    """`media_data/` beside the rows that name its files. A file is made when a row first asks for it."""

    def __init__(self, beside: Path, sandbox: MediaSandbox) -> None:
        self.root = beside / FOLDER
        self._sandbox = sandbox

    def put(self, medium: Medium) -> str:
        """Make sure that the medium's file is there, and return its path relative to media_data.

        Raises:
            Refused: the original is not in storage, or its metadata cannot be removed.
        """
        path = self.root / medium.name
        if not path.exists():
            asset = Asset.objects.get(pk=medium.asset_id)
            try:
                with new_file(path) as file:
                    write_released(asset, file, self._sandbox)
            except MediaError as error:
                raise Refused(
                    f"{_named(asset)} cannot be freed of its metadata: it {error} To release the rest, leave its"
                    " source out; its pairs can be imported as another source, with the file mended."
                ) from error
            except FileNotFoundError:
                raise Refused(
                    f"{_named(asset)} is not in storage: there is no {asset.key}. Restore it from a backup."
                ) from None
        return medium.name

    def put_picture(self, medium: Medium) -> str:
        """As put, but the path of a picture: of the medium itself, or of the sheet that is put beside a mesh.

        Raises:
            Refused: as put, or the sheet is not in storage.
        """
        name = self.put(medium)
        path = self.root / medium.picture
        if medium.picture != name and not path.exists():
            sheet = Derivative.objects.select_related("asset").get(asset=medium.asset_id, kind="sheet")
            try:
                with default_storage.open(sheet.key) as file:
                    content = file.read()
            except FileNotFoundError:
                raise Refused(
                    f"{_named(sheet.asset)} has a sheet that is not in storage: there is no {sheet.key}. Restore it"
                    " from a backup."
                ) from None
            with new_file(path) as target:
                target.write(content)
        return medium.picture

    def embed(self, medium: Medium) -> dict[str, bytes | str]:
        """The cell of a column of pictures or sound."""
        name = self.put_picture(medium)
        return {"bytes": (self.root / name).read_bytes(), "path": Path(name).name}


def _named(asset: Asset) -> str:
    """The asset as it is found in admin, and one of the pairs that it is part of."""
    used = Q(prompt__prompt_assets__asset=asset) | Q(response1__asset=asset) | Q(response2__asset=asset)
    pair = Pair.objects.filter(used, project=asset.project_id).order_by("pk").first()
    return f"Asset {asset.pk} ({asset.media_type}, in pair {pair})"
