"""The servers of this machine, shared by every command that works on the same DATA_DIR.

A command holds a share of each server for its own duration: the first one starts it, the last one stops it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from webapp.local.keeper import START_LIMIT, STOP_LIMIT
from webapp.local.place import Place
from webapp.local.process import Lock, ServerError, in_one_line

ROOT = Path(__file__).resolve().parent.parent.parent
# The variable that names a server elsewhere -> the server that is started where it is not set.
VARIABLES = {"DATABASE_URL": "postgres", "REDIS_URL": "redis"}
ANSWER_LIMIT = 5  # seconds for a server elsewhere


class Share:
    """This process's share of one server. While any process holds one, the server runs."""

    def __init__(self, name: str, data_dir: Path) -> None:
        self.place = Place(data_dir, name)
        try:
            self.place.make()
        except OSError as error:
            raise ServerError(f"DATA_DIR {data_dir} cannot be used: {error.strerror}") from error
        self._pid = os.getpid()
        self._users = Lock(self.place.users_lock)
        try:
            with Lock(self.place.start_lock):
                self._users.shared()  # waits while a keeper stops the server
                self.url = self._ensure()
        except BaseException:
            self._users.close()
            raise

    def heal(self) -> None:
        """Starts the server anew if its keeper was killed. Cheap: for calling every second."""
        if self._has_keeper():
            return
        with Lock(self.place.start_lock):
            self._ensure()

    def give_back(self) -> None:
        if self._pid == os.getpid():  # a forked child shares our lock and must not give it back for us
            self._users.unlock()

    def wait(self) -> None:
        """After give_back(): if that was the last share, returns when the server has stopped."""
        if self._pid != os.getpid():
            return
        deadline = time.monotonic() + STOP_LIMIT + 10
        while self._stopping() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._users.close()

    def _stopping(self) -> bool:
        """True while nobody uses the server and its keeper is still there."""
        with Lock(self.place.start_lock):  # one at a time: two who probe would take each other for users
            if not self._has_keeper():
                return False
            if self._users.try_exclusive():  # the keeper has not noticed yet
                self._users.unlock()
                return True
            if self._users.try_shared():  # others hold shares
                self._users.unlock()
                return False
            return True

    def _ensure(self) -> str:
        """The URL of the running server; starts its keeper if there is none."""
        if not self._has_keeper():
            self._start_keeper()
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            try:
                return str(json.loads(self.place.state.read_text())["url"])
            except FileNotFoundError:
                if not self._has_keeper():
                    raise ServerError(f"{self.place.name} did not start: see {self.place.log}") from None
                time.sleep(0.02)
        raise ServerError(f"{self.place.name} did not come up in {START_LIMIT:.0f} s: see {self.place.log}")

    def _has_keeper(self) -> bool:
        lock = Lock(self.place.keeper_lock)
        try:
            return not lock.try_shared()
        finally:
            lock.close()

    def _start_keeper(self) -> None:
        self.place.state.unlink(missing_ok=True)  # of a keeper that was killed
        # In a session of its own: Ctrl-C reaches those who use the server first.
        keeper = subprocess.Popen(
            [sys.executable, "-m", "webapp.local.keeper", self.place.name, str(self.place.data_dir)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert keeper.stdout is not None
        with keeper.stdout as said:
            answer = said.readline().decode().strip()
        if answer != "ready":
            keeper.wait()
            raise ServerError(answer or f"{self.place.name} did not start: see {self.place.log}")
        keeper.returncode = 0  # it outlives us if others need it: nothing to wait for


class Servers:
    """Shares of all the servers that the environment does not name."""

    def __init__(self, data_dir: Path, environ: MutableMapping[str, str] = os.environ) -> None:
        """Starts what is missing and sets DATABASE_URL and REDIS_URL in `environ`. Raises ServerError."""
        missing = {variable: name for variable, name in VARIABLES.items() if not environ.get(variable)}
        self.shares: list[Share] = []
        if not missing:
            return
        with ThreadPoolExecutor(len(missing)) as pool:
            started = {variable: pool.submit(Share, name, data_dir) for variable, name in missing.items()}
        errors = [error for future in started.values() if (error := future.exception())]
        self.shares = [future.result() for future in started.values() if not future.exception()]
        if errors:
            self.release()
            raise errors[0]
        for variable, future in started.items():
            environ[variable] = future.result().url

    def heal(self) -> None:
        for share in self.shares:
            share.heal()

    def release(self) -> None:
        """Gives all shares back. Servers that nobody else uses have stopped when it returns."""
        for share in self.shares:
            share.give_back()
        for share in self.shares:
            share.wait()
        self.shares = []


_started: Servers | None = None
begun: float | None = None  # time.monotonic() of start()


def data_dir() -> Path:
    """DATA_DIR, by default data/ beside manage.py."""
    return Path(os.environ.get("DATA_DIR") or ROOT / "data").resolve()


def start() -> None:
    """Starts what the environment does not name, before Django reads its settings. Raises ServerError.

    A database that it does name is asked, as no command can do without one. Redis is not: most can.
    """
    global _started, begun
    begun = time.monotonic()
    if url := os.environ.get("DATABASE_URL"):
        ask_postgres(url)
    _started = Servers(data_dir())


def ask_postgres(url: str) -> None:
    """Raises ServerError if nobody lets us in there. A pool would try for long, and not tell why."""
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=ANSWER_LIMIT).close()
    except psycopg.OperationalError as error:
        raise ServerError(
            f"PostgreSQL (DATABASE_URL) does not let us in: {in_one_line(error)}. Start it, mend DATABASE_URL,"
            " or unset it for a server of our own"
        ) from error
    except psycopg.ProgrammingError:  # whose message may hold the password
        raise ServerError(
            "DATABASE_URL is not an address of PostgreSQL: give postgresql://USER:PASSWORD@HOST:PORT/NAME"
        ) from None


def ask_redis(url: str) -> None:
    """Raises ServerError if nobody answers there."""
    import redis

    try:
        asked = redis.Redis.from_url(url, socket_connect_timeout=ANSWER_LIMIT, socket_timeout=ANSWER_LIMIT)
    except ValueError:
        raise ServerError(
            "REDIS_URL is not an address of Redis: give redis://HOST:PORT/0 or unix://PATH?db=0"
        ) from None
    try:
        with asked:
            asked.ping()
    except redis.RedisError as error:
        raise ServerError(
            f"Redis (REDIS_URL) does not answer: {in_one_line(error)}. Start it, mend REDIS_URL, or unset it"
            " for a server of our own"
        ) from error


def heal() -> None:
    """Starts anew what was killed together with its keeper."""
    if _started is not None:
        _started.heal()


def stop() -> None:
    """Gives back what start() took."""
    if _started is not None:
        _started.release()
