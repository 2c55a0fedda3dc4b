"""A place of its own for a benchmark: PostgreSQL and Redis in a temporary DATA_DIR, migrated, gone afterwards."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def own_servers() -> Iterator[Path]:
    """The temporary directory; Django is set up on the servers in it."""
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory(prefix="evenhand-bench-") as name:
        for variable in ("DATABASE_URL", "REDIS_URL"):
            os.environ.pop(variable, None)
        os.environ |= {"DATA_DIR": f"{name}/data", "DJANGO_SETTINGS_MODULE": "webapp.settings"}
        from webapp.local.servers import Servers

        servers = Servers(Path(name) / "data")
        try:
            import django
            from django.core.management import call_command
            from django.db import connection

            django.setup()
            call_command("migrate", verbosity=0)
            try:
                yield Path(name)
            finally:
                connection.close()
        finally:
            servers.release()
