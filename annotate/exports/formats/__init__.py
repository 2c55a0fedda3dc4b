"""The formats of a release, one a module: a module here that has a FORMAT is one, under its own name.

To add one, write its module. What it must say and do stands in `base.Format`.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annotate.exports.formats.base import Format

NAMES = tuple(
    sorted(module.name for module in iter_modules(__path__) if module.name not in ("base", "turns"))
)


@cache
def format_named(name: str) -> "Format":
    """The format of this name, which is one of NAMES."""
    found: Format = import_module(f"{__name__}.{name}").FORMAT
    return found
