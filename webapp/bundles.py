"""What browsers load: the modules of static/js/ with the npm packages that they import, bundled below build/.

One script a page, and beside it the parts that it fetches only when a pair needs them, or that several pages share. So a
page comes in few requests, small, and no page loads from elsewhere. esbuild makes them in well under a second, whenever a
source is another than it was: nobody need think of it.
"""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from django.conf import settings

from webapp.local.process import Lock, ServerError

SOURCES = Path(settings.BASE_DIR) / "static" / "js"
MODULES = Path(settings.BASE_DIR) / "node_modules"
BUILD = Path(settings.BASE_DIR) / "build"

ENTRIES = (
    "admin/import-mapping",
    "admin/job-progress",
    "consent",
    "criteria",
    "dashboard",
    "home",
    "judge",
    "login",
    "review",
    "theme",
    "worker",
)
# What markdown-it would bring along and a browser has: half of its size.
STAND_INS = ("entities", "linkify-it", "punycode.js", "uc.micro")
OPTIONS = (
    *("--bundle", "--splitting", "--format=esm", "--target=es2022", "--minify", "--legal-comments=eof"),
    *("--chunk-names=[name]-[hash]", "--log-level=error"),
    *(f"--alias:{name}=./packages/{name.removesuffix('.js')}.js" for name in STAND_INS),
)


def prepare() -> bool:
    """Bundle what is not bundled as it stands now. True if anything was. ServerError where npm's packages are missing."""
    BUILD.mkdir(exist_ok=True)
    stamp = BUILD / "js" / ".made-of"
    with Lock(BUILD / ".lock"):  # several processes may start at once
        now = _fingerprint()
        if stamp.exists() and stamp.read_text() == now:
            return False
        _style_formulas()
        made = BUILD / "js.new"
        shutil.rmtree(made, ignore_errors=True)
        _run_esbuild(made)
        (made / stamp.name).write_text(now)
        shutil.rmtree(BUILD / "js", ignore_errors=True)
        made.rename(BUILD / "js")
    return True


def _run_esbuild(target: Path) -> None:
    # The program itself, which needs no Node: npm lays it beside its package, by platform.
    program = next((MODULES / "@esbuild").glob("*/bin/esbuild"), None)
    if program is None:
        raise ServerError(
            "The npm packages are missing, which browsers' scripts are made of. Run: make setup"
        )
    entries = [f"{name}.js" for name in ENTRIES]
    done = subprocess.run(
        [program, *entries, *OPTIONS, f"--outdir={target}", "--outbase=."],
        cwd=SOURCES,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServerError(f"esbuild could not bundle static/js/: {' '.join(done.stderr.split())}")


def _style_formulas() -> None:
    """The fonts of formulas and what places them; of each font its newest form alone, which every browser here reads."""
    katex = MODULES / "katex" / "dist"
    if not katex.is_dir():
        return  # told with the rest of the packages
    vendor = BUILD / "vendor"
    shutil.rmtree(vendor, ignore_errors=True)
    (vendor / "fonts").mkdir(parents=True)
    for font in katex.glob("fonts/*.woff2"):
        shutil.copy(font, vendor / "fonts")
    style = (katex / "katex.min.css").read_text()
    style = re.sub(r',url\([^)]*\.(?:woff|ttf)\) format\("[a-z]+"\)', "", style)
    (vendor / "katex.css").write_text(style)


def _fingerprint() -> str:
    """Of every source's name, size and time, of what npm laid there, and of how they are bundled."""
    digest = hashlib.sha256(repr((ENTRIES, OPTIONS)).encode())
    lock = MODULES / ".package-lock.json"
    for path in [*sorted(SOURCES.rglob("*.js")), *([lock] if lock.exists() else [])]:
        state = os.stat(path)
        digest.update(f"{path}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
