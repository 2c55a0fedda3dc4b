"""Messages of the interface: gathered from the sources, translated in locale/, made ready for Django and browsers.

`locale/LANGUAGE/LC_MESSAGES/django.po` holds what Python and templates say, `djangojs.po` what the browser's modules say.
`gather()` (`make messages`) keeps them in step with the sources. `prepare()` makes of them what is loaded: the .mo files
of gettext, and for browsers one script a language, a static file with a hashed name like all others.
"""

import json
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages import Catalog, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation import to_locale
from django.utils.translation.template import templatize
from django.utils.translation.trans_real import DjangoTranslation
from django.views.i18n import JSONCatalog

# Domain -> the folders that hold its messages, with what is read there and how.
SOURCES = {
    "django": {
        "annotate": ("*.py", "python"),
        "webapp": ("*.py", "python"),
        "templates": ("*.html", "template"),
    },
    "djangojs": {"static/js": ("*.js", "javascript")},
}
_PYTHON: dict[str, Any] = {
    **extract.DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
}
KEYWORDS: dict[str, dict[str, Any]] = {
    "python": _PYTHON,
    "template": _PYTHON,
    "javascript": {"t": None, "plural": (1, 2), "inContext": ((1, "c"), 2)},
}
SCRIPTS = "tongues"  # the folder below build/, and of the static path


def translated() -> list[str]:
    """The languages that have catalogs: all but the one that the sources are written in."""
    return [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def catalog_path(language: str, domain: str) -> Path:
    """The .po file of a language, named as settings.LANGUAGES names it."""
    return Path(settings.LOCALE_PATHS[0]) / to_locale(language) / "LC_MESSAGES" / f"{domain}.po"


def read_catalog(language: str, domain: str) -> Catalog:
    """What is translated; an empty catalog where nothing is yet."""
    path = catalog_path(language, domain)
    locale = to_locale(language)
    if not path.exists():
        return Catalog(locale=locale, domain=domain, project="Evenhand", charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=locale, domain=domain)


def messages_of(path: Path, method: str) -> Iterator[tuple[int, Any, list[str], str | None]]:
    """The messages that one file marks: (line, message or its forms, comments for translators, context)."""
    source = path.read_bytes()
    if method == "template":
        # Django turns a template into calls of gettext on the same lines, among letters that stand for the rest.
        calls = templatize(source.decode(), origin=str(path))
        source = "\n".join(line.strip() for line in calls.split("\n")).encode()
    yield from extract.extract(
        "javascript" if method == "javascript" else "python",
        BytesIO(source),
        keywords=KEYWORDS[method],
        comment_tags=("Translators:",),
        options={"encoding": "utf-8"},
        strip_comment_tags=True,
    )


def gathered(domain: str) -> Catalog:
    """All messages of the sources, untranslated."""
    found = Catalog(domain=domain)
    for folder, (pattern, method) in SOURCES[domain].items():
        for path in sorted((settings.BASE_DIR / folder).rglob(pattern)):
            place = path.relative_to(settings.BASE_DIR).as_posix()
            for line, message, comments, context in messages_of(path, method):
                found.add(message, locations=[(place, line)], auto_comments=comments, context=context)
    return found


def gather() -> dict[Path, int]:
    """Bring the .po files up to date with the sources. What is gone is dropped; what is like something that was
    translated gets that as a fuzzy proposal. Returns for each file how many messages wait for a translator."""
    waiting = {}
    for domain in SOURCES:
        sources = gathered(domain)
        for language in translated():
            catalog, path = read_catalog(language, domain), catalog_path(language, domain)
            catalog.update(sources, update_header_comment=False, update_creation_date=False)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                write_po(
                    file, catalog, width=110, include_lineno=False, sort_by_file=True, ignore_obsolete=True
                )
            waiting[path] = sum(not is_translated(message) for message in catalog if message.id)
    return waiting


def is_translated(message: Any) -> bool:
    """Whether a message of a catalog has all of its forms, and none of them is only a guess."""
    forms = message.string if isinstance(message.string, list | tuple) else [message.string]
    return all(forms) and not message.fuzzy


class _Script(JSONCatalog):
    """Django's catalog for browsers, of our own messages alone."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self.translation = DjangoTranslation(
            language, domain="djangojs", localedirs=[str(path) for path in settings.LOCALE_PATHS]
        )

    def text(self) -> str:
        catalog = json.dumps(self.get_catalog(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return f"globalThis.evenhandTongue={{form:(n)=>Number({self.get_plural()}),catalog:{catalog}}};\n"


def prepare() -> bool:
    """Make the .mo files and the scripts, where their .po files are newer or they are missing. True if any was made."""
    made = False
    for language in translated():
        for domain in SOURCES:
            path = catalog_path(language, domain)
            compiled = BytesIO()
            if _is_older(path.with_suffix(".mo"), path):
                write_mo(compiled, read_catalog(language, domain))
                _put(path.with_suffix(".mo"), compiled.getvalue())
                made = True
        script = settings.BASE_DIR / "build" / SCRIPTS / f"{language}.js"
        if _is_older(script, catalog_path(language, "djangojs")):
            _put(script, _Script(language).text().encode())
            made = True
    return made


def _is_older(path: Path, source: Path) -> bool:
    return not path.exists() or path.stat().st_mtime_ns <= source.stat().st_mtime_ns


def _put(path: Path, content: bytes) -> None:
    """Whole or not at all: servers may be reading the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(content)
    fresh.replace(path)
