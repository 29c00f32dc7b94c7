"""One run of a PostgreSQL server as our child: make its data, start it, see it ready, end it.

Everything here expects that the caller holds the lock of the folder, which is free only when no process of an
earlier server is left. So what such a server left behind can be deleted without asking whose pid it names.
"""

import asyncio
import math
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from varsel.database.embedded.os_user import OsUser
from varsel.database.embedded.postgres_binaries import Binaries
from varsel.database.embedded.postgres_folder import PostgresFolder, make_private
from varsel.errors import DatabaseUnavailable

SUPERUSER = "postgres"
INITDB_LIMIT = 60.0  # seconds; takes half of one on an ordinary disk
READY_LIMIT = 60.0  # seconds; recovery after a crash replays at most some gigabytes of WAL
POLL = 0.01  # seconds
# Fast shutdown, immediate shutdown (recovers like after a crash), kill; each with the seconds that it gets.
WAYS_TO_END = ((signal.SIGINT, 1.5), (signal.SIGQUIT, 0.3), (signal.SIGKILL, 0.2))  # seconds; two in all

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Cluster:
    """One data directory, and how its server is run."""

    binaries: Binaries
    user: OsUser
    folder: PostgresFolder
    durable: bool
    """False only in tests: a crash of the machine then loses data, a crash of PostgreSQL does not."""
    max_connections: int
    sizes: Mapping[str, str]
    """Server settings beyond ours, or instead of them."""

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder.data(self.binaries.major)

    async def make_data(self, lock: int) -> None:
        """Make the data directory; it gets its name only when it is whole.

        Raises:
            DatabaseUnavailable: initdb refuses, for example because our uid has no entry in passwd.
        """
        if others := self.folder.other_data(self.binaries.major):
            log.warning("data of another major are left alone; a new database is made", others=others)
        half_made = self.data.with_name(f"{self.data.name}.new")
        if half_made.exists():
            shutil.rmtree(half_made)
        make_private(half_made, self.user)
        output = _Output.begin(self.folder)
        initdb = self.user.spawn(self._initdb(half_made), output=output.descriptor, keep=lock)
        try:
            await until(lambda: initdb.poll() is not None, every=POLL, limit=INITDB_LIMIT)
        finally:
            output.close()
            if initdb.poll() is None:
                initdb.kill()
                initdb.wait()
        if initdb.returncode != 0:
            raise DatabaseUnavailable(
                f"initdb cannot make {self.data}: {output.last_words()}; see {self.folder.log_file}, or "
                "apt-get install postgresql and set VARSEL_DATABASE_URL to a server of your own"
            )
        half_made.rename(self.data)
        _sync_folder(self.data.parent)

    def _initdb(self, data: Path) -> list[str | Path]:
        # Both providers compare by code point and know every letter's case; before 17 there is libc's only.
        builtin = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if self.binaries.major >= 17 else ()
        access = ("--auth-local=trust", "--auth-host=reject")  # the socket's folder is closed to others
        unsynced = () if self.durable else ("--no-sync",)
        command = (self.binaries.initdb, "-D", data, "-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8")
        return [*command, *builtin, *access, "--data-checksums", "--no-instructions", *unsynced]

    def start(self, lock: int) -> "Server":
        """Start the server on its data; the lock stays held until its last process is gone."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.folder.make_socket_folder(self.user)
        output = _Output.begin(self.folder)
        try:
            child = self.user.spawn(self._postgres(), output=output.descriptor, keep=lock)
        finally:
            output.close()
        return Server(child, self.data, output)

    def _postgres(self) -> list[str | Path]:
        options = {
            "listen_addresses": "",
            "unix_socket_permissions": "0700",
            "max_connections": str(self.max_connections),
            "shared_buffers": "128MB",
            "jit": "off",  # compiling costs more than our statements take
            # The log must not repeat what is in statements and rows: addresses, names, mails.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options |= self.sizes
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [self.binaries.postgres, "-D", self.data, "-k", self.folder.socket, "-p", "5432", *settings]


class Server:
    """A running `postgres`, our child."""

    def __init__(self, child: subprocess.Popen[bytes], data: Path, output: "_Output") -> None:
        self._child = child
        self._data = data
        self._output = output

    @property
    def pid(self) -> int:
        """Of its first process."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None as long as it runs; below zero the signal that ended it."""
        return self._child.poll()

    @property
    def last_lines(self) -> Sequence[str]:
        """What it said last about itself, not about anybody's statements."""
        return self._output.lines()[-5:]

    async def until_ready(self) -> None:
        """Wait until it takes connections.

        Raises:
            DatabaseUnavailable: it has ended instead, or takes too long.
        """
        await until(lambda: self._says_ready() or self.exit_code is not None, every=POLL, limit=READY_LIMIT)
        if self.exit_code is not None or not self._says_ready():
            what = "ended while starting" if self.exit_code is not None else "takes too long to start"
            raise DatabaseUnavailable(
                f"PostgreSQL {what}: {self._output.last_words()}; see {self._output.path}, "
                "or set VARSEL_DATABASE_URL to a server of your own"
            )

    def _says_ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return False
        # PostgreSQL writes the status on line 8 (miscadmin.h); the file may still be that of another server.
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def end(self) -> None:
        """End it, asking ever less politely; takes at most the sum of `WAYS_TO_END`."""
        for way, patience in WAYS_TO_END:
            if self.exit_code is not None:
                return
            self._child.send_signal(way)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(patience)
        if self.exit_code is None:
            log.error("PostgreSQL does not end", pid=self.pid)


@dataclass(frozen=True, slots=True)
class _Output:
    """The part of the log that one child writes."""

    path: Path
    descriptor: int
    start: int

    @classmethod
    def begin(cls, folder: PostgresFolder) -> "_Output":
        descriptor = folder.open_log()
        return cls(folder.log_file, descriptor, os.fstat(descriptor).st_size)

    def close(self) -> None:
        """Leave it to the child."""
        os.close(self.descriptor)

    def lines(self) -> list[str]:
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self.start, end - 20_000))
            said = file.read().decode(errors="replace").splitlines()
            # ERROR and what follows it may quote what somebody sent; initdb's own words begin with its name.
            return [line for line in said if any(kind in line for kind in _ABOUT_ITSELF)]
        return []

    def last_words(self) -> str:
        """The first line that says what went wrong, for others follow from it; else the last."""
        lines = self.lines()
        # "The database system is starting up" and the like are for those who came too early.
        grave = (line for line in lines if any(kind in line for kind in _GRAVE) and "system is" not in line)
        return next(grave, lines[-1] if lines else "it said nothing").strip()


_GRAVE = (" FATAL: ", " PANIC: ", " error: ")
_ABOUT_ITSELF = (*_GRAVE, " LOG: ", "initdb: ", "postgres: ")


async def until(condition: Callable[[], bool], *, every: float, limit: float = math.inf) -> None:
    """Look every so many seconds; returns when it is so, or after `limit` seconds."""
    deadline = time.monotonic() + limit
    # A lock, a child and the file of another process raise no event that asyncio could wait for.
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(every)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
