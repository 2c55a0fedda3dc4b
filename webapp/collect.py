"""Collects static files, but only when one of them changed: a start need not wait for it."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from webapp import bundles, tongues
from webapp.local.process import Lock


def collect_if_changed() -> bool:
    """Runs collectstatic if STATIC_ROOT was made from other files than there are now; what is made of others is made before. True if it ran."""
    root = Path(settings.STATIC_ROOT)
    root.mkdir(parents=True, exist_ok=True)
    stamp = root / ".collected"
    with Lock(root / ".lock"):  # several processes may start at once
        tongues.prepare()
        bundles.prepare()
        now = _fingerprint()
        if stamp.exists() and stamp.read_text() == now:
            return False
        call_command("collectstatic", interactive=False, clear=False, verbosity=0)
        stamp.write_text(now)
    return True


def _fingerprint() -> str:
    """Of every source file's name, size and time, and of how they are stored."""
    digest = hashlib.sha256(repr(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            state = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()
