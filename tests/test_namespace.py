"""The namespace of tests/namespace.py itself: what can be seen from in there, and what it leaves behind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.namespace import REPOSITORY, needs_namespace, run_in_namespace, settle_in
from tests.postfix import needs_postfix

SETTLE_IN = """\
import socket, subprocess, sys, time
from pathlib import Path
from tests.namespace import settle_in

folder = Path(sys.argv[1])
settle_in(folder)
"""
LOOK_AROUND = """\
with socket.create_server(("127.0.0.2", 25)), socket.create_connection(("127.0.0.2", 25)):
    seen = f"{socket.if_nameindex()} {Path('/etc/resolv.conf').read_text()}"
sys.exit(seen)
"""
START_A_SLEEPER = """\
with (folder / "pipe").open("w") as pipe:
    subprocess.run(["sh", "-c", "echo ready; exec sleep 600"], stdout=pipe)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a module named `inside`."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "inside.py"


@needs_namespace
def test_a_namespace_has_a_loopback_and_a_name_server_and_nothing_else(module: Path, tmp_path: Path) -> None:
    module.write_text(SETTLE_IN + LOOK_AROUND)
    outside = Path("/etc/resolv.conf").read_text()

    with pytest.raises(RuntimeError, match=r"\[\(1, 'lo'\)\] nameserver 127\.0\.0\.1\n"):
        run_in_namespace("inside", tmp_path, limit=60)

    assert Path("/etc/resolv.conf").read_text() == outside


@needs_namespace
def test_what_takes_too_long_in_a_namespace_is_interrupted_and_says_where_it_was(module: Path, tmp_path: Path) -> None:
    module.write_text(SETTLE_IN + "time.sleep(600)\n")

    with pytest.raises(RuntimeError, match=r'inside\.py", line \d+, in <module>(.*\n)*KeyboardInterrupt'):
        run_in_namespace("inside", tmp_path, limit=1)


@needs_namespace
def test_what_runs_in_a_namespace_dies_with_the_process_that_started_it(module: Path, tmp_path: Path) -> None:
    module.write_text(SETTLE_IN + START_A_SLEEPER)
    os.mkfifo(tmp_path / "pipe")
    run = (
        "from pathlib import Path\n"
        "from tests.namespace import run_in_namespace\n"
        f"run_in_namespace('inside', Path({os.fspath(tmp_path)!r}), limit=600)\n"
    )
    in_background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", run]
    with subprocess.Popen(in_background, cwd=REPOSITORY) as process, (tmp_path / "pipe").open() as pipe:
        assert pipe.readline() == "ready\n"

        process.kill()

        assert pipe.read() == ""  # the end comes when nobody holds the other side any more


def test_nothing_settles_in_outside_of_a_namespace(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="only in a namespace"):
        settle_in(tmp_path)


@needs_postfix
@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_without_a_namespace_a_developer_skips_what_needs_it_and_ci_fails(
    ci: str, outcome: str, tmp_path: Path
) -> None:
    for program in ("postfix", "postconf"):
        (tmp_path / program).symlink_to(shutil.which(program) or "")
    one_test = f"{REPOSITORY}/tests/test_postfix_round_trip.py::test_a_full_mailbox_ends_failed"

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--noconftest", "-p", "no:cacheprovider", one_test],
        env={"PATH": os.fspath(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
    )

    assert outcome in run.stdout
    assert "unshare is not installed: apt-get install util-linux" in run.stdout
