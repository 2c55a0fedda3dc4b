"""What lets the judge page be opened without a network: a service worker, and which files it keeps.

The script stands at the root because its scope does: it serves the pages below /judge/, and no other. It changes with
any of its files, which is how browsers learn of a new version.
"""

import hashlib
import json
import re
from functools import cache

from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.views.decorators.http import require_safe

from webapp.bundles import ENTRIES
from webapp.static import HashedModules

# Files of other pages, and the worker itself, which browsers keep by their own means.
_OTHERS = "|".join(re.escape(name) for name in ENTRIES if name not in ("judge", "theme"))
_NOT_OF_THE_PAGE = re.compile(
    rf"js/({_OTHERS})\.|css/(?!tokens|base|judge|viewers)|(?!js/|css/|vendor/|tongues/|images/)"
)
_ENTRY = "js/judge.js"


@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker. Asked without a session too: whoever is logged out keeps their shell up to date."""
    return HttpResponse(_script(), content_type="text/javascript")


@cache
def _script() -> str:
    assert isinstance(staticfiles_storage, HashedModules)
    names = sorted(name for name in staticfiles_storage.hashed_files if not _NOT_OF_THE_PAGE.match(name))
    files = [static(name) for name in names]
    version = hashlib.sha256("\n".join(files).encode()).hexdigest()[:16]
    shell = {"version": version, "entry": static(_ENTRY), "files": files}
    return f"self.SHELL = {json.dumps(shell)};\nimportScripts({json.dumps(static('js/worker.js'))});\n"
