"""Which version of the software this is, as pyproject.toml names it."""

import tomllib
from functools import cache

from django.conf import settings


@cache
def version() -> str:
    """The version, as in "0.1.0"."""
    found: str = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
    return found
