"""Programs of Debian's packages that make load: find them, run them, and know what they cost."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.unsound import Unsound

# The program, and the package of Debian that has it.
PACKAGES = {
    "wrk": "wrk",
    "pgbench": "postgresql",
    "smtp-source": "postfix",
    "smtp-sink": "postfix",
    "postconf": "postfix",
}
# Debian keeps these where an ordinary user's PATH does not look.
MORE_PLACES = ("/usr/sbin", "/usr/local/sbin")
WHOLE_CORE = 0.9  # cores; a program of one thread that takes more may be what we measured


@dataclass(frozen=True, slots=True)
class Done:
    """What a program said and took."""

    output: str
    seconds: float
    cores: float  # of processor time a second


class Tool:
    """One run of a program, which begins at once."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # `wait` closes it
        self._began_at = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            env=os.environ | (environment or {}),
        )

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def wait(self, *, may_take_a_core: bool = False) -> Done:
        """Wait for its end.

        Raises:
            Unsound: it failed, or took a whole core and may not.
        """
        _, status, usage = os.wait4(self.pid, 0)
        seconds = time.perf_counter() - self._began_at
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._output.seek(0)
        output = self._output.read().decode(errors="replace")
        self._output.close()
        name = Path(self._command[0]).name
        if self._process.returncode != 0:
            last = output.strip().splitlines()[-1:] or ["it said nothing"]
            raise Unsound(f"{name} ended with exit code {self._process.returncode}: {last[0]}")
        done = Done(output, seconds, (usage.ru_utime + usage.ru_stime) / seconds)
        if done.cores > WHOLE_CORE and not may_take_a_core:
            raise Unsound(f"{name} took {done.cores:.2f} cores: the load generator may have been the limit")
        return done


def find_tool(name: str) -> Path:
    """Where the program is.

    Raises:
        Unsound: nowhere; names the package.
    """
    path = os.pathsep.join((os.environ.get("PATH", ""), *MORE_PLACES))
    found = shutil.which(name, path=path)
    if found is None:
        raise Unsound(f"{name} is missing: apt-get install {PACKAGES[name]}")
    return Path(found)


def require_tools() -> None:
    """Look for all of them, so that nothing is missed half an hour later.

    Raises:
        Unsound: some are missing; names their packages.
    """
    missing = []
    for name in PACKAGES:
        try:
            find_tool(name)
        except Unsound:
            missing.append(name)
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        raise Unsound(f"{', '.join(missing)} missing: apt-get install {packages}")
