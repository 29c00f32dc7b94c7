"""What processes take, from /proc: cores over a while, resident memory now and at its peak."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")  # of the times in /proc/PID/stat, a second
MEGABYTE = 1e6  # bytes


class CoresTaken:
    """The cores that named processes, each with its children, take from now on."""

    def __init__(self, **processes: int) -> None:
        self._processes = processes
        self._before = {name: _seconds(pid) for name, pid in processes.items()}
        self._began_at = time.perf_counter()

    def now(self) -> Mapping[str, float]:
        """By name, the mean since the beginning."""
        elapsed = time.perf_counter() - self._began_at
        return {name: (_seconds(pid) - self._before[name]) / elapsed for name, pid in self._processes.items()}


class CoresIdle:
    """The cores that nobody takes from now on, those that wait for a disk included."""

    def __init__(self) -> None:
        self._before = _idle_seconds()
        self._began_at = time.perf_counter()

    def now(self) -> float:
        """The mean since the beginning."""
        return (_idle_seconds() - self._before) / (time.perf_counter() - self._began_at)


def _idle_seconds() -> float:
    """Of all cores together (proc(5): the fourth and fifth number are idle and iowait)."""
    numbers = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return (int(numbers[3]) + int(numbers[4])) / TICK


def _seconds(pid: int) -> float:
    """Of processor time: of a process, its children that ended, and those that run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # proc(5): utime, stime, cutime, cstime are fields 14 to 17; field 3 is the first after the name.
    own = sum(map(int, fields[11:15])) / TICK
    return own + sum(_seconds(int(child)) for child in children)


def resident(pid: int) -> float:
    """Resident memory now, megabytes."""
    return _from_status(pid, "VmRSS")


class PeakMemory:
    """The most resident memory of a process from now on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # proc(5): forget the peak so far

    def megabytes(self) -> float:
        """The peak since the beginning."""
        return _from_status(self._pid, "VmHWM")


def _from_status(pid: int, name: str) -> float:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / MEGABYTE
    raise RuntimeError(f"process {pid} is gone")
