"""This machine's own PostgreSQL and Redis: shared by commands, stopped by the last, whatever kills whom."""

import json
import os
import pwd
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from manage import needs_servers
from tests.paths import ROOT
from webapp.local.postgres import Postgres
from webapp.local.process import ServerError
from webapp.local.servers import Servers

# Holds shares of the servers until its standard input ends.
HOLDER = """
import sys
from pathlib import Path
from webapp.local.servers import Servers
servers = Servers(Path(sys.argv[1]), {})
print("up", flush=True)
sys.stdin.read()
servers.release()
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A DATA_DIR of the test's own; no process that knows it may outlive the test."""
    folder = tmp_path / "data"
    yield folder
    assert eventually(lambda: not users_of(folder)), users_of(folder)


def users_of(data_dir: Path) -> list[str]:
    """The command lines of running processes that name `data_dir`."""
    lines = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(data_dir) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            lines.append(f"{process.pid} {line}")
    return lines


def eventually(true: Callable[[], object], limit: float = 15.0) -> bool:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return False


def start(data_dir: Path) -> tuple[Servers, dict[str, str]]:
    environ: dict[str, str] = {}
    return Servers(data_dir, environ), environ


def hold(data_dir: Path) -> "subprocess.Popen[str]":
    """Another process that uses the servers."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "up\n"
    return holder


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


def one(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def answers(environ: dict[str, str]) -> bool:
    try:
        return (
            one(environ["DATABASE_URL"], "SELECT 1") == 1
            and redis.Redis.from_url(environ["REDIS_URL"]).ping()
        )
    except (psycopg.OperationalError, redis.ConnectionError):
        return False


def test_both_answer_keep_what_they_are_told_and_stop(data_dir: Path) -> None:
    servers, environ = start(data_dir)
    try:
        url = environ["DATABASE_URL"]
        assert answers(environ)
        assert one(url, "SHOW fsync") == one(url, "SHOW synchronous_commit") == "on"
        assert one(url, "SHOW listen_addresses") == ""
        assert one(url, "SELECT datcollate FROM pg_database WHERE datname = current_database()") == "C"
        assert redis.Redis.from_url(environ["REDIS_URL"]).config_get("maxmemory-policy") == {
            "maxmemory-policy": "noeviction"
        }
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    finally:
        servers.release()
    assert eventually(lambda: users_of(data_dir) == [])
    servers, environ = start(data_dir)
    try:
        assert one(environ["DATABASE_URL"], "SELECT n FROM kept") == 7
    finally:
        servers.release()


def test_nothing_outside_is_touched_and_sockets_are_private(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o755)
    before = {path: path.stat().st_mode for path in (data_dir, data_dir.parent)}
    servers, _ = start(data_dir)
    try:
        assert {path: path.stat().st_mode for path in before} == before
        assert sorted(path.name for path in data_dir.iterdir()) == ["log", "postgres", "redis", "run"]
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in data_dir.iterdir())
        assert (data_dir / "postgres" / ".s.PGSQL.5432").is_socket()
        assert (data_dir / "redis" / "redis.sock").is_socket()
    finally:
        servers.release()


def test_given_urls_are_left_alone(data_dir: Path) -> None:
    environ = {"DATABASE_URL": "postgresql://elsewhere/x", "REDIS_URL": "redis://elsewhere/0"}
    Servers(data_dir, environ).release()
    assert environ == {"DATABASE_URL": "postgresql://elsewhere/x", "REDIS_URL": "redis://elsewhere/0"}
    assert not data_dir.exists()


def test_two_processes_share_and_the_last_one_stops_them(data_dir: Path) -> None:
    holder = hold(data_dir)
    pid = postmaster(data_dir)
    servers, environ = start(data_dir)
    assert postmaster(data_dir) == pid
    servers.release()
    assert answers(environ)
    holder.communicate()
    assert eventually(lambda: users_of(data_dir) == [])


def test_many_who_come_and_go_at_once_meet_a_running_server(data_dir: Path) -> None:
    start(data_dir)[0].release()
    for _ in range(3):
        holders = [hold(data_dir) for _ in range(2)]
        servers, environ = start(data_dir)
        assert answers(environ)
        for holder in holders:
            assert holder.stdin is not None
            holder.stdin.close()
        servers.release()
        assert [holder.wait(30) for holder in holders] == [0, 0]
    assert eventually(lambda: users_of(data_dir) == [])


def test_a_killed_holder_leaves_nothing_running_and_the_next_one_starts(data_dir: Path) -> None:
    holder = hold(data_dir)
    holder.kill()
    holder.communicate()
    servers, environ = start(data_dir)  # at once: the old servers may be stopping
    assert answers(environ)
    servers.release()


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_a_killed_server_is_started_again(data_dir: Path, name: str) -> None:
    servers, environ = start(data_dir)
    try:
        redis_pid = int((data_dir / "redis" / "redis.pid").read_text())
        victim = postmaster(data_dir) if name == "postgres" else redis_pid
        os.kill(victim, signal.SIGKILL)
        assert eventually(
            lambda: not psutil.pid_exists(victim) or psutil.Process(victim).status() == "zombie"
        )
        assert eventually(lambda: answers(environ))
    finally:
        servers.release()


def test_a_killed_keeper_takes_its_server_along_and_heal_brings_both_back(data_dir: Path) -> None:
    servers, environ = start(data_dir)
    try:
        pid = postmaster(data_dir)
        os.kill(json.loads((data_dir / "run" / "postgres.json").read_text())["keeper"], signal.SIGKILL)
        assert eventually(lambda: not answers(environ))

        def healed() -> bool:
            servers.heal()  # as `up` does again and again: a server that is only just dying is not healed yet
            return answers(environ)

        assert eventually(healed)
        assert postmaster(data_dir) != pid
    finally:
        servers.release()


def test_a_first_start_that_was_killed_is_begun_anew(data_dir: Path) -> None:
    half = data_dir / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    servers, environ = start(data_dir)
    assert answers(environ)
    servers.release()


def test_a_data_dir_too_deep_for_sockets(tmp_path: Path) -> None:
    data_dir = tmp_path / ("deep" * 30)
    servers, environ = start(data_dir)
    try:
        assert answers(environ)
        elsewhere = (data_dir / "run" / "postgres.sockets").readlink()
        assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
    finally:
        servers.release()
    assert not elsewhere.exists()
    assert eventually(lambda: users_of(data_dir) == [])


def test_where_root_may_not_enter_a_user_namespace_another_uid_serves(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root; whoever else runs this must be served by themselves, unshare or not."""
    refusing = tmp_path / "bin"
    refusing.mkdir()
    (refusing / "unshare").write_text("#!/bin/sh\nexit 1\n")
    (refusing / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{refusing}:{os.environ['PATH']}")
    let_others_through(data_dir)
    if os.geteuid() == 0 and not open_to_others(Postgres(data_dir).bin):
        with pytest.raises(ServerError, match=r"others may not reach .* start Evenhand as an ordinary user"):
            start(data_dir)
        return
    for _ in range(2):  # made, and found again
        servers, environ = start(data_dir)
        try:
            owner = psutil.Process(postmaster(data_dir)).uids().real
            assert answers(environ)
            assert (data_dir / "postgres").stat().st_uid == owner
            assert stat.S_IMODE((data_dir / "postgres").stat().st_mode) == 0o700
            if os.geteuid() == 0:
                assert owner == pwd.getpwnam("nobody").pw_uid
                assert stat.S_IMODE(data_dir.stat().st_mode) & 0o077 == 0o001  # passed through, not listed
            else:
                assert owner == os.geteuid()
        finally:
            servers.release()


def open_to_others(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)


def let_others_through(data_dir: Path) -> None:
    """pytest's own folders are closed to others, and a DATA_DIR's way is up to whoever chooses it."""
    data_dir.mkdir(mode=0o700)
    for folder in data_dir.parents:
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)


def test_another_versions_data_are_refused_in_one_line(data_dir: Path) -> None:
    cluster = data_dir / "postgres" / "data"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("17\n")
    environ = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    ended = subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        cwd=ROOT,
        env=environ | {"DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        f"manage.py: {cluster} was made by PostgreSQL 17, and this is 18: "
        "dump it with 17 and load the dump here, or set DATA_DIR to another folder\n"
    )
    assert list(cluster.iterdir()) == [cluster / "PG_VERSION"]


def test_a_server_that_does_not_come_up_says_why(data_dir: Path) -> None:
    start(data_dir)[0].release()
    with (data_dir / "postgres" / "data" / "postgresql.conf").open("a") as conf:
        conf.write("\nwal_level = nonsense\n")
    with pytest.raises(
        ServerError, match=r"^postgres did not start: .*contains errors \(see .*postgres.log\)$"
    ) as raised:
        start(data_dir)
    assert "\n" not in str(raised.value)


def test_only_commands_that_work_on_data_start_servers() -> None:
    assert needs_servers(["migrate"])
    assert needs_servers(["import_pairs", "a.jsonl", "--project", "p"])
    for idle in ([], ["help"], ["--version"], ["migrate", "--help"], ["collectstatic", "--noinput"]):
        assert not needs_servers(idle)
