"""The lock that decides which varsel process owns the embedded server.

flock(2) belongs to the open file and not to the process: who inherits the descriptor holds the lock as well. The
server inherits it, so the lock is free only when the owner and every process of its server have let go or died.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class OwnerLock:
    """A lock file; its text is the pid of the varsel process that took it last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """What a child inherits to hold the lock with us; only while we hold it."""
        assert self._descriptor is not None  # noqa: S101  # the caller has taken it
        return self._descriptor

    @property
    def owner(self) -> int | None:
        """Pid of the varsel process that took it last, which may be gone; None if it cannot be read."""
        with suppress(OSError, ValueError):
            return int(self.path.read_text())
        return None

    @property
    def is_of_the_living(self) -> bool:
        """Whether the process that took it last, other than us, still runs."""
        return self.owner not in (None, os.getpid()) and Path(f"/proc/{self.owner}").exists()

    def take(self) -> bool:
        """Take it if it is free; True if it is ours."""
        if self._descriptor is None:
            self._descriptor = self._locked()
        return self._descriptor is not None

    def _locked(self) -> int | None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:  # a full disk
            os.close(descriptor)
            raise
        return descriptor

    def let_go(self) -> None:
        """Let go of it; a server of ours that still runs goes on holding it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
