"""The folder of the embedded database: what lies where, and whom it belongs to.

    <root>/
    └── postgres/            ours: 0700, or for root 0711, which the database's user can pass but not change
        ├── lock             see owner_lock
        ├── server.log       what initdb and the server say; the one before is server.log.1
        ├── binaries-18.6/   only where the database's user cannot reach the installed ones
        ├── data-18/         the database's user's, 0700; each major of PostgreSQL has its own
        └── socket/          likewise

Where a socket's path would be too long, socket/ is in /tmp/varsel-<hash of root and uid>/, ours, instead.
"""

import hashlib
import os
import re
import shutil
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from varsel.database.embedded.os_user import OsUser
from varsel.errors import DatabaseUnavailable

SOCKET = ".s.PGSQL.5432"
SOCKET_PATH_MAX = 107  # bytes: sun_path of unix(7) is 108 with its final zero
LOG_MAX = 10_000_000  # bytes

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PostgresFolder:
    """The paths below one root, and how they are made."""

    root: Path

    @property
    def path(self) -> Path:
        """All that is ours below the root."""
        return self.root / "postgres"

    @property
    def lock_file(self) -> Path:
        """What only one varsel process, and its server, holds."""
        return self.path / "lock"

    @property
    def log_file(self) -> Path:
        """What the server says."""
        return self.path / "server.log"

    def data(self, major: int) -> Path:
        """The data of servers of this major."""
        return self.path / f"data-{major}"

    def other_data(self, major: int) -> list[str]:
        """What there is of other majors, which this one cannot read."""
        found = (path.name for path in self.path.glob("data-*") if path.name.removeprefix("data-").isdigit())
        return sorted(name for name in found if name != self.data(major).name)

    @property
    def socket(self) -> Path:
        """The folder of the server's socket: the same for every process of ours on this root."""
        inside = self.path / "socket"
        # Other characters mean something in a list of directories or in a URL.
        if re.fullmatch(r"[\w./-]+", str(inside), re.ASCII) and len(str(inside / SOCKET)) <= SOCKET_PATH_MAX:
            return inside
        # Not $XDG_RUNTIME_DIR: our processes may have different ones, and it goes at logout.
        digest = hashlib.sha256(b"%d %s" % (os.geteuid(), os.fsencode(self.root))).hexdigest()
        return Path("/tmp") / f"varsel-{digest[:20]}" / "socket"  # noqa: S108  # make() sees that it is ours

    def make(self) -> None:
        """Make what every process of ours needs, whether it owns the server or not.

        Raises:
            DatabaseUnavailable: somebody else has made the folder in /tmp.
        """
        _make_ours(self.path)
        _make_ours(self.socket.parent)
        status = self.socket.parent.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise DatabaseUnavailable(
                f"{self.socket.parent} is not ours alone: remove it, or choose a --data-dir with a shorter path"
            )

    def make_socket_folder(self, user: OsUser) -> None:
        """Make the folder of the socket anew, without what a killed server left in it."""
        self.make()
        if self.socket.exists():
            shutil.rmtree(self.socket)
        make_private(self.socket, user)

    def set_aside_unusable(self, data: Path) -> None:
        """Move data without a control file out of the way; they may be what is left of a restored backup."""
        if data.exists() and not (data / "global/pg_control").exists():
            aside = data.with_name(f"{data.name}.unusable-{time.time_ns()}")
            data.rename(aside)
            log.warning("data without global/pg_control are set aside", path=str(aside))

    def open_log(self) -> int:
        """Open the log for appending; one that has grown too big is put aside first."""
        with suppress(FileNotFoundError):
            if self.log_file.stat().st_size > LOG_MAX:
                self.log_file.replace(self.log_file.with_name(f"{self.log_file.name}.1"))
        return os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def make_private(folder: Path, user: OsUser) -> None:
    """Make a folder that only `user` (and root) can enter."""
    folder.mkdir(mode=0o700)
    user.give(folder)


def _make_ours(path: Path) -> None:
    mode = 0o711 if os.geteuid() == 0 else 0o700
    for folder in reversed((path, *path.parents)):
        if not folder.is_dir():
            with suppress(FileExistsError):  # several of us may start at once
                folder.mkdir(mode)
                folder.chmod(mode)  # whatever our umask is
