"""A place of its own for a benchmark: PostgreSQL and Redis in a temporary DATA_DIR, migrated, gone afterwards."""

import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

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


@contextmanager
def web_server(*, workers: int) -> Iterator[tuple[int, psutil.Process]]:
    """The port and the process of a web server on these servers, as `manage.py up` starts it."""
    from django.conf import settings

    from webapp.collect import collect_if_changed
    from webapp.local.supervisor import Child, Supervisor
    from webapp.management.commands.up import is_healthy, web_command

    collect_if_changed()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = web_command("127.0.0.1", port, workers=workers, threads=settings.WEB_THREADS)
    child = Child("web", command, Path(settings.DATA_DIR) / "log" / "web.log")
    supervisor = Supervisor(lambda line: print(line, file=sys.stderr))
    try:
        supervisor.start(child)
        supervisor.until(lambda: is_healthy("127.0.0.1", port), child, 60)
        assert child.process
        yield port, psutil.Process(child.process.pid)
    finally:
        supervisor.stop()


def postmaster() -> psutil.Process:
    """The PostgreSQL of this place, parent of all its backends."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        parent = psutil.Process(cursor.fetchone()[0]).parent()
    assert parent
    return parent


def processor_seconds(top: psutil.Process) -> float:
    """Of a process and its children. Workers that end meanwhile are few and idle."""
    total = 0.0
    for process in (top, *top.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total
