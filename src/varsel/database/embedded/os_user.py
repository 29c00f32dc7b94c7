"""The user of the operating system that the embedded database runs as: ourselves or, for root, another.

PostgreSQL refuses to run as root, so root hands it to somebody who exists already; no user is ever created. What
that user can reach is found out by a try, since modes alone do not tell (ACLs, mounts, namespaces).
"""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from varsel.errors import DatabaseUnavailable

UNPRIVILEGED = "nobody"
PR_SET_PDEATHSIG = 1  # linux/prctl.h
TRY_LIMIT = 10.0  # seconds; a hung network file system must not hang us


@dataclass(frozen=True, slots=True)
class OsUser:
    """Who runs PostgreSQL and owns its data."""

    name: str
    uid: int
    gid: int

    @classmethod
    def of_data(cls, data: Path, *, wanted: str | None) -> Self:
        """Ourselves; for root the `wanted` one, else the owner of the data that are there, else `nobody`.

        Raises:
            DatabaseUnavailable: there is no such user, it is root, or the data belong to another.
        """
        if os.geteuid() != 0:
            return cls(_name_of(os.geteuid()), os.geteuid(), os.getegid())
        owner = data.stat() if data.exists() else None
        if wanted is None and owner is not None:
            user = cls(_name_of(owner.st_uid), owner.st_uid, owner.st_gid)
        else:
            user = cls._named(wanted or UNPRIVILEGED)
        if user.uid == 0:
            raise DatabaseUnavailable(
                f"PostgreSQL does not run as root: give {data} to another user, name one with "
                "VARSEL_PG_OS_USER, or set VARSEL_DATABASE_URL to a server of your own"
            )
        if owner is not None and owner.st_uid != user.uid:
            raise DatabaseUnavailable(
                f"{data} belongs to {_name_of(owner.st_uid)}: unset VARSEL_PG_OS_USER, or name that user"
            )
        return user

    @classmethod
    def _named(cls, name: str) -> Self:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            raise DatabaseUnavailable(
                f"there is no user {name} here to run PostgreSQL: set VARSEL_PG_OS_USER to one that exists, "
                "or VARSEL_DATABASE_URL to a server of your own"
            ) from None
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    @property
    def is_another(self) -> bool:
        """Whether we must change our uid to act as this user."""
        return self.uid != os.geteuid()

    def give(self, path: Path) -> None:
        """Make this user the owner of what we have just created."""
        if self.is_another:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def can_reach(self, path: Path) -> bool:
        """Whether this user may enter the folder, or run the program, at `path`.

        Raises:
            DatabaseUnavailable: we are a root that may not act as another user, as in some containers.
        """
        if not self.is_another:
            return os.access(path, os.X_OK)
        try:
            attempt = subprocess.run(  # noqa: S603  # no shell, and the path is one argument
                ["/usr/bin/test", "-x", path],
                user=self.uid,
                group=self.gid,
                extra_groups=[],
                timeout=TRY_LIMIT,
                check=False,
            )
        except OSError as error:
            raise DatabaseUnavailable(
                f"root cannot start programs as {self.name} here ({error.strerror}): run varsel as an ordinary user, "
                "or set VARSEL_DATABASE_URL to a server of your own"
            ) from error
        return attempt.returncode == 0

    def spawn(self, command: Sequence[str | Path], *, output: int, keep: int) -> subprocess.Popen[bytes]:
        """Start `command` as this user, so that it gets SIGINT when we die, however we die.

        It has a session of its own, so that Ctrl-C reaches us alone. `output` takes what it prints; `keep` stays
        open in it and in its children.

        Raises:
            DatabaseUnavailable: this operating system cannot tie a child's life to ours.
        """
        if threading.current_thread() is not threading.main_thread():
            # prctl(2): the signal comes when the THREAD that created the child ends.
            raise RuntimeError("start PostgreSQL from the main thread: it would end with any other")
        return subprocess.Popen(  # noqa: S603  # no shell; the programs are found by us or named by the operator
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",  # ours may be closed to this user
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
            pass_fds=(keep,),
            start_new_session=True,
            user=self.uid if self.is_another else None,
            group=self.gid if self.is_another else None,
            extra_groups=[] if self.is_another else None,
            # This runs after the change of uid, which would reset it, and takes no lock that a thread may hold.
            preexec_fn=partial(_end_with, os.getpid(), _prctl()),
        )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # normal in containers
        return f"uid {uid}"


def _prctl() -> Callable[[int, int], int]:
    if sys.platform != "linux":
        raise DatabaseUnavailable(
            "the embedded database needs Linux: set VARSEL_DATABASE_URL to a PostgreSQL server of your own"
        )
    prctl: Callable[[int, int], int] = ctypes.CDLL(None).prctl
    return prctl


def _end_with(parent: int, prctl: Callable[[int, int], int]) -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:  # it died before it could be asked for
        os._exit(1)
