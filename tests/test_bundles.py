"""Browsers' scripts are bundled from the sources as they stand, and name each other so that they may be kept for good."""

import os
import re
import shutil
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import storage

from webapp import bundles
from webapp.local.process import ServerError

IMPORT = re.compile(r"""(?:from|import|import\()\s*"(\.[^"]*)\"""")


def collected() -> dict[str, str]:
    """Each script as it is served."""
    root = Path(settings.STATIC_ROOT)
    hashed = storage.staticfiles_storage.hashed_files  # type: ignore[attr-defined]
    return {
        name: (root / served).read_text()
        for name, served in hashed.items()
        if name.startswith("js/") and name.endswith(".js")
    }


def test_scripts_import_each_other_by_names_that_tell_what_is_in_them(static_files: None) -> None:
    scripts = collected()
    assert {f"js/{name}.js" for name in bundles.ENTRIES} <= set(scripts)
    imported = {name: IMPORT.findall(script) for name, script in scripts.items()}
    assert any(imported["js/judge.js"])
    for name, others in imported.items():
        for other in others:
            assert re.fullmatch(r"\.\.?/[\w-]+\.[0-9a-f]{12}\.js", other), f"{name} imports {other}"


def test_no_script_names_another_origin_to_fetch_from(static_files: None) -> None:
    for name, script in collected().items():
        assert not re.search(r"""(?:from|import|import\()\s*["']https?:""", script), name


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    shutil.copytree(bundles.SOURCES, tmp_path / "static" / "js")
    (tmp_path / "node_modules").symlink_to(bundles.MODULES)
    monkeypatch.setattr(bundles, "SOURCES", tmp_path / "static" / "js")
    monkeypatch.setattr(bundles, "BUILD", tmp_path / "build")
    return tmp_path / "static" / "js"


def test_they_are_made_anew_whenever_a_source_is_another(sources: Path) -> None:
    assert bundles.prepare() and not bundles.prepare()
    home = sources / "home.js"
    home.write_text(home.read_text() + "\nconsole.log('as it stands now');\n")
    assert bundles.prepare() and not bundles.prepare()
    assert "as it stands now" in (bundles.BUILD / "js" / "home.js").read_text()
    os.remove(sources / "login.js")
    with pytest.raises(ServerError, match=r"could not bundle.*login\.js"):
        bundles.prepare()
    assert "as it stands now" in (bundles.BUILD / "js" / "home.js").read_text()  # the last whole ones stay


def test_missing_packages_are_told(sources: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bundles, "MODULES", tmp_path / "none")
    with pytest.raises(ServerError, match="Run: make setup"):
        bundles.prepare()


def test_of_formulas_one_form_of_each_font_is_served(static_files: None) -> None:
    style = (bundles.BUILD / "vendor" / "katex.css").read_text()
    fonts = set(re.findall(r"url\(fonts/([^)]*)\)", style))
    assert fonts and all(font.endswith(".woff2") for font in fonts)
    assert fonts == {path.name for path in (bundles.BUILD / "vendor" / "fonts").iterdir()}
