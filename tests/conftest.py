"""The suite's own servers, and the rule that nothing is skipped unnoticed."""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import django
import hypothesis
import pytest

from tests.paths import ALLOWED_SKIPS, ROOT
from tests.stores import STORES, Store, bucket, emptied, storage
from webapp.local.servers import Servers

# Whoever is started in the background by a script ignores interrupts, and so would all that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples every time, and no clock: what a property test tells is about the code, not about the machine.
hypothesis.settings.load_profile("ci")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def _start_servers() -> None:
    """PostgreSQL and Redis as `make run` has them, in a DATA_DIR of this run, until this process ends."""
    data_dir = Path(tempfile.mkdtemp(prefix="evenhand-test-"))
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ |= {
        "DATA_DIR": str(data_dir),
        "SECRET_KEY": "the suite's own, of fifty characters or more, for nothing else",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
        "LOG_FORMAT": "text",
        # Playwright runs an event loop in the thread of the test, which Django takes for async code.
        "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
    }
    servers = Servers(data_dir)
    owner = os.getpid()

    def stop() -> None:
        servers.release()
        if os.getpid() == owner:
            shutil.rmtree(data_dir, ignore_errors=True)

    atexit.register(stop)


# On import, which is before any other conftest.py needs Django's settings. Workers of xdist inherit the
# environment of the process that started the servers; each has a Redis database and media of its own.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    number = int(worker.removeprefix("gw")) + 1
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].replace("db=0", f"db={number}")
    os.environ["MEDIA_ROOT"] = f"{os.environ['DATA_DIR']}/media-{worker}"
else:
    _start_servers()
os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings"
django.setup()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """A worker that inherits the module's name reads the settings before the lines above have changed them."""
    os.environ.pop("DJANGO_SETTINGS_MODULE")


_ONCE = ("race", "at_once", "kill", "lock_order", "while_judging")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make test` tries a failed test once more, and its summary names it: browsers, servers and clocks have bad moments.

    What races or is killed gets no second try: if it goes wrong at one instant of many, it is wrong.
    """
    for item in items:
        if any(word in item.nodeid for word in _ONCE):
            item.add_marker(pytest.mark.flaky(reruns=0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _no_quiet_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _no_quiet_skip((yield))


def _no_quiet_skip(report: Report) -> Report:
    """A skip for any reason but those of tests.paths becomes a failure."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.endswith(ALLOWED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"skipped, which only absent data or an absent GPU may cause: {reason}"
    return report


@pytest.fixture(scope="session", autouse=True)
def static_files() -> None:
    """Collected once a run: templates name hashed files."""
    from webapp.collect import collect_if_changed

    collect_if_changed()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The URL of an S3 endpoint of this process, which lets pages of other origins read what its CORS rules say."""
    os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def s3_bucket(s3_endpoint: str) -> dict[str, str]:
    """The variables that name a bucket made as an installation makes its own."""
    environ = bucket(s3_endpoint, "evenhand")
    subprocess.run(
        [sys.executable, "manage.py", "ensure_bucket"], cwd=ROOT, env=os.environ | environ, check=True
    )
    return environ


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, settings: Any) -> Iterator[Store]:
    """Media on the local disk and in an object store, by turns; or `parametrize("store", [...], indirect=True)`."""
    if request.param == "disk":
        yield Store("disk")
        return
    environ = request.getfixturevalue("s3_bucket")
    settings.STORAGES = {**settings.STORAGES, "default": storage(environ)}
    yield Store("object store", environ)
    emptied()
