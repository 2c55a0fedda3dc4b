"""Where a process that helps to write a release begins: nothing here may need Django before it is set up."""

import os
import threading
import time
from pathlib import Path


def assist_in_child(release: str, directory: str, database: str, parent: int) -> None:
    """Help to write the release in `directory`, from this database; end with the parent, however that ends."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    django.setup()
    from annotate.exports.build import assist

    assist(release, Path(directory))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
