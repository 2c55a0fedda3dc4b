"""The service worker's script: anybody may read it, it names what the judge page may need, and changes with any of it."""

import json
import re

import pytest
from django.contrib.staticfiles import storage
from django.test import Client

from webapp.pages import offline


def shell() -> dict[str, object]:
    response = Client().get("/sw.js")
    assert response.status_code == 200 and response["Content-Type"] == "text/javascript"
    found = re.match(
        r"self\.SHELL = (\{.*\});\nimportScripts\(\"/static/js/worker\.\w+\.js\"\);\n$",
        response.content.decode(),
    )
    assert found
    told: dict[str, object] = json.loads(found[1])
    return told


def test_it_names_every_file_of_the_page_by_its_hashed_name() -> None:
    files = shell()["files"]
    assert isinstance(files, list)
    names = {re.sub(r"^/static/(.*?)(-[0-9A-Z]{8})?\.[0-9a-f]{12}(\.\w+)$", r"\1\3", file) for file in files}
    assert {
        "js/judge.js",
        "js/video.js",
        "js/mesh.js",
        "js/katex.js",
        "js/common.js",  # highlight.js/lib/common
        "vendor/katex.css",
        "vendor/fonts/KaTeX_Main-Regular.woff2",
        "css/judge.css",
        "images/icon.svg",
        "tongues/ko.js",
        "tongues/zh-hans.js",
    } <= names
    assert not [
        name
        for name in names
        if re.match("admin/|rest_framework|js/admin|js/home|js/dashboard|js/worker", name)
    ]
    assert not [file for file in files if not re.search(r"\.[0-9a-f]{12}\.", file)]


def test_it_changes_with_any_file_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    before = shell()["version"]
    hashed = storage.staticfiles_storage.hashed_files  # type: ignore[attr-defined]
    monkeypatch.setitem(hashed, "js/judge.js", "js/judge.0123456789ab.js")
    offline._script.cache_clear()
    assert shell()["version"] != before
    monkeypatch.undo()
    offline._script.cache_clear()
    assert shell()["version"] == before
