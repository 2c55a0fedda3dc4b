"""`manage.py up`: everything starts, what dies is started again, nothing stays behind."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.paths import ROOT
from tests.test_local_servers import eventually
from webapp.management.commands.up import is_healthy


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A clean environment with a port and a DATA_DIR, which the first test sets up and the others find."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ours = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")
    }
    return ours | {
        "DATA_DIR": str(tmp_path_factory.mktemp("up") / "data"),
        "PORT": str(port),
        "WEB_WORKERS": "1",
        "DEMO": "0",
    }


@pytest.fixture(autouse=True)
def nothing_left(environ: dict[str, str]) -> Iterator[None]:
    yield
    left = running(environ) if not eventually(lambda: not running(environ)) else []
    for line in left:  # not in the way of the tests that follow
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), signal.SIGKILL)
    assert not left


def running(environ: dict[str, str]) -> list[str]:
    """The processes that were started with this DATA_DIR in their environment."""
    found = []
    for process in psutil.process_iter(["environ", "cmdline", "status"]):
        if (
            process.info["status"] != psutil.STATUS_ZOMBIE
            and (process.info["environ"] or {}).get("DATA_DIR") == (environ["DATA_DIR"])
        ):
            found.append(f"{process.pid} {' '.join(process.info['cmdline'] or [])}")
    return found


def up(environ: dict[str, str], *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "up", *options],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(process: "subprocess.Popen[str]", text: str) -> str:
    """What the process says, up to the line that has `text`."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    raise AssertionError(f"it ended and said: {said}")


def healthy(environ: dict[str, str]) -> bool:
    return is_healthy("127.0.0.1", int(environ["PORT"]))


def pid_of(environ: dict[str, str], *words: str) -> int:
    """The oldest process of these tests whose command line has all the words."""
    return min(int(line.split()[0]) for line in running(environ) if all(word in line for word in words))


def processor_time(pid: int) -> float:
    """Seconds that a process and all its descendants have computed."""
    parent = psutil.Process(pid)
    times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
    return sum(taken.user + taken.system for taken in times) + times[0].children_user


def is_gone(pid: int) -> Callable[[], bool]:
    return lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_check_starts_everything_prints_the_times_and_stops(environ: dict[str, str]) -> None:
    first = up(environ, "--check")
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 0, said
    assert f"Evenhand runs at http://127.0.0.1:{environ['PORT']}/" in said
    assert re.search(r"log in as admin with password \S{16} \(shown this once\)", said)
    rows = re.findall(r"^ *(\d+\.\d\d) s +(\d+\.\d\d) s  (.+)$", said, re.MULTILINE)
    assert [part for *_, part in rows][-2:] == [
        "web server, until /health answers",
        "workers, until they answer",
    ]
    assert float(rows[-1][1]) == pytest.approx(sum(float(took) for took, *_ in rows), abs=0.05)
    assert running(environ) == []
    assert Path(environ["DATA_DIR"], "secret_key").stat().st_mode & 0o777 == 0o600


def test_second_start_is_quick_makes_no_account_and_ctrl_c_ends_it(environ: dict[str, str]) -> None:
    process = up(environ)
    said = until(process, "Ctrl-C")
    # 3 s by the clock of an idle machine with two cores. Here much else may run, so what counts is the work
    # done until now, by the workers too, which have just been started.
    assert processor_time(process.pid) < 12
    assert "password" not in said
    assert healthy(environ)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert running(environ) == []


def test_children_that_die_are_started_again(environ: dict[str, str]) -> None:
    process = up(environ)
    until(process, "Ctrl-C")
    victims = [
        pid_of(environ, "granian"),
        pid_of(environ, "celery", "--queues default,media"),
        pid_of(environ, "celery", "beat"),
        pid_of(environ, "webapp.local.keeper", "postgres"),
    ]
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    assert eventually(lambda: all(is_gone(victim)() for victim in victims))
    assert eventually(lambda: healthy(environ), 30)
    assert eventually(lambda: pid_of(environ, "celery", "--queues default,media") not in victims)
    assert eventually(lambda: pid_of(environ, "celery", "beat") not in victims)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_second_up_on_the_same_data_is_refused_in_one_line(environ: dict[str, str]) -> None:
    process = up(environ)
    until(process, "Ctrl-C")
    second = up(environ)
    said, _ = second.communicate(timeout=30)
    assert second.returncode == 1
    where = environ["DATA_DIR"]
    assert said == f"manage.py: Evenhand runs already on {where}: stop it, or set another DATA_DIR and PORT\n"
    assert healthy(environ)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


def test_a_killed_up_leaves_nothing_that_blocks_the_next(environ: dict[str, str]) -> None:
    process = up(environ)
    until(process, "Ctrl-C")
    process.kill()
    process.wait()
    again = up(environ)
    until(again, "Ctrl-C")
    assert healthy(environ)
    again.send_signal(signal.SIGINT)
    assert again.wait(30) == 0


def test_a_taken_port_is_said_in_one_line(environ: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", int(environ["PORT"])))
        taken.listen()
        process = up(environ)
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said == (
        f"manage.py: cannot listen on 127.0.0.1 port {environ['PORT']} (Address already in use): "
        "choose another with PORT=... or stop what uses it\n"
    )


def test_a_web_server_that_cannot_start_says_why(environ: dict[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "granian"
    broken.mkdir()
    (broken / "__init__.py").touch()
    (broken / "__main__.py").write_text("raise SystemExit('the engine is missing')")
    process = up(environ | {"PYTHONPATH": str(tmp_path)})
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    *_, last = said.splitlines()
    assert last.startswith("manage.py: web does not start: the engine is missing (see ")
