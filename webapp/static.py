"""Hashed static files whose ES modules import each other by their hashed names, and travel small."""

from pathlib import PurePosixPath

from django.core.files.base import ContentFile, File
from rjsmin import jsmin
from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedModules(CompressedManifestStaticFilesStorage):
    support_js_module_import_aggregation = True

    def _save(self, name: str, content: "File[bytes]") -> str:
        """Our own modules are kept without comments and white space; what packages give is so already."""
        path = PurePosixPath(name)
        if path.parts[0] == "js" and path.suffix == ".js":
            content.seek(0)  # its hash was taken of it before
            content = ContentFile(jsmin(content.read().decode()).encode())
        saved: str = super()._save(name, content)
        return saved
