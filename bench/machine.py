"""What a figure was measured on, and what was measured."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from bench.databases import Databases
from bench.tool import find_tool

REPOSITORY = Path(__file__).parent.parent


def conditions(databases: Databases) -> Mapping[str, str]:
    """Machine, versions and time."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "varsel": _commit(),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": databases.version,
        "its sizes": ", ".join(f"{name} {value}" for name, value in databases.sizes.items()),
        "its durability": databases.durability,
        "pgbench": _first_line([find_tool("pgbench"), "--version"]),
        "wrk": _wrk_version(),
        "postfix tools": _first_line([find_tool("postconf"), "-h", "mail_version"]),
    }


def _commit() -> str:
    git: list[str | Path] = ["git", "-C", REPOSITORY]
    commit = _first_line([*git, "rev-parse", "--short=12", "HEAD"])
    changed = _first_line([*git, "status", "--porcelain", "--", "src"])
    return f"{commit}, with changes that are not committed" if changed else commit


def _processor() -> str:
    match = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()


def _wrk_version() -> str:
    match = re.search(r"wrk (\S+)", _first_line([find_tool("wrk"), "--version"]))
    return match[1] if match else "unknown"


def _first_line(command: list[str | Path]) -> str:
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return lines[0].strip() if lines else ""
