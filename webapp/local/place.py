"""Where a server of this machine keeps its things under DATA_DIR."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

# sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included.
SOCKET_PATH_LIMIT = 103


class Place:
    """DATA_DIR/NAME is the server's own; DATA_DIR/run holds locks and states, DATA_DIR/log what it writes."""

    def __init__(self, data_dir: Path, name: str) -> None:
        self.data_dir = data_dir.absolute()
        self.name = name
        self.home = self.data_dir / name
        self.run = self.data_dir / "run"
        self.log = self.data_dir / "log" / f"{name}.log"
        self.start_lock = self.run / f"{name}.start"
        self.users_lock = self.run / f"{name}.users"
        self.keeper_lock = self.run / f"{name}.keeper"
        self.state = self.run / f"{name}.json"

    def make(self) -> None:
        """Creates the folders that are missing, for their owner alone; leaves alone what is there."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.home, self.run, self.log.parent):
            folder.mkdir(mode=0o700, exist_ok=True)

    def socket_dir(self, socket_name: str) -> Path:
        """The server's home, or where DATA_DIR lies too deep for a socket's path, a private temporary folder.

        The link run/NAME.sockets records the temporary one.
        """
        if len(os.fsencode(self.home / socket_name)) <= SOCKET_PATH_LIMIT:
            return self.home
        link = self.run / f"{self.name}.sockets"
        with contextlib.suppress(OSError):
            there = link.readlink()
            state = there.lstat()
            if state.st_uid == os.geteuid() and stat.S_ISDIR(state.st_mode) and state.st_mode & 0o077 == 0:
                return there
        link.unlink(missing_ok=True)
        there = Path(tempfile.mkdtemp(prefix="evenhand-", dir="/tmp"))
        link.symlink_to(there)
        return there

    def remove_socket_dir(self) -> None:
        """Removes the temporary folder, if there is one and the server took its socket away."""
        link = self.run / f"{self.name}.sockets"
        with contextlib.suppress(OSError):
            link.readlink().rmdir()
            link.unlink()
