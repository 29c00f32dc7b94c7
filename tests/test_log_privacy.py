"""The search of a run's log lines: what it finds, what it leaves alone, and that a run fails by it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.log_privacy import MARKER, findings_in, kinds_of

REPOSITORY = Path(__file__).parents[1]
JWT = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2ln"
ADDRESS, IDENTITY, ORGANIZATION, TOKEN, TEXT = (
    "an e-mail address",
    "an identity number",
    "an organisation number",
    "a token",
    "a subject or body",
)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ADDRESS, "kari@etat.test"),
        (ADDRESS, "550 5.1.1 <kari@etat.test>: no such user"),
        (ADDRESS, '"Kari Nordmann"@etat.test'),
        (ADDRESS, "ukjent-på-øya@blåbær.no"),
        (ADDRESS, "kari@localhost"),
        (ADDRESS, "kari@[127.0.0.1]"),
        (ADDRESS, r"b'k\xc3\xa5ri@\xc3\xa5s.test'"),
        (ADDRESS, r'{"to": "kari\u0040etat.test"}'),
        (ADDRESS, "GET /suppressions?address=kari%40etat.test"),
        (ADDRESS, "b+kari=40etat.test"),
        (ADDRESS, "b+7.x@bounce.varsel.test"),
        (ADDRESS, "postgresql://varsel:hemmelig@server/varsel"),
        (IDENTITY, "01019012345"),
        (IDENTITY, "urn:altinn:person:identifier-no:01019012345"),
        (IDENTITY, "person_01019012345."),
        (IDENTITY, "010190 12345"),
        (IDENTITY, "010190-12345"),
        (ORGANIZATION, "991825827"),
        (ORGANIZATION, "0192:991825827"),
        (ORGANIZATION, "991 825 827"),
        (ORGANIZATION, "NO991825827MVA"),
        (ORGANIZATION, "{'ID': '0192:991825827'}"),
        (TOKEN, JWT),
        (TOKEN, f"b'Authorization: Bearer {JWT}'"),
        (TOKEN, "bearer 3b9ff2a0c4e14f0d"),
        (TEXT, f"Failing row contains (Hei, {MARKER.upper()}!)"),
    ],
)
def test_what_no_line_may_hold_is_found(kind: str, text: str) -> None:
    assert kind in kinds_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "01a223b9-76b1-797a-b9c2-bd555e0bf45f",
        "12345678-1234-7123-8123-123456789012",
        "test_01234567890123456789012345678901",
        "2026-11-28T19:54:46.123456Z",
        "took 0.123456789 s, of 12.34567890123",
        "1700000000 1700000000000 1700000000000000000",
        "127.0.0.1:54321 [::1]:54321",
        "<Task pending name='Task-12' coro=<run() running at /srv/worker.py:158> wait_for=<Future at 0x712345678901>>",
        "/tmp/varsel-serve-12345678/postgres/data-18.unusable-1700000000000000000",
        "2026-11-28 19:54:46.123 UTC [1234567] LOG:  redo starts at 0/123456789A",
        "postgresql://varsel@/varsel?host=/tmp/varsel-1&port=5432",
        "timeout=400 @ 12345 bytes",
        "no bearer token was given",
    ],
)
def test_what_lines_hold_besides_is_left_alone(text: str) -> None:
    assert kinds_of(text) == []


@pytest.mark.parametrize(
    ("line", "event", "key"),
    [
        ({"event": "report refused", "to": "k\xe5ri@etat.test"}, "report refused", "to"),
        ({"event": "report refused", "to": [{"of": ["kari@etat.test"]}]}, "report refused", "of"),
        ({"event": "report refused", "kari@etat.test": 1}, "report refused", "kari@etat.test"),
        ({"event": "refused kari@etat.test"}, "refused kari@etat.test", "event"),
        ("varsel: kari@etat.test is unknown", "", ""),
        (["kari@etat.test"], "", ""),
    ],
)
def test_it_is_found_wherever_it_stands_in_a_line(line: object, event: str, key: str, tmp_path: Path) -> None:
    file = tmp_path / "gw0.log"
    file.write_text(f"{{}}\n{line if isinstance(line, str) else json.dumps(line)}\n")

    [finding] = findings_in(tmp_path)

    assert (finding.kind, finding.event, finding.key, finding.file, finding.line) == (ADDRESS, event, key, file, 2)


def test_numbers_are_found_that_are_no_strings(tmp_path: Path) -> None:
    (tmp_path / "gw0.log").write_text('{"event": "looked up", "who": 11019012345, "of": 991825827}\n')

    assert [finding.kind for finding in findings_in(tmp_path)] == [IDENTITY, ORGANIZATION]


LEAKS = """
import logging
import subprocess

import structlog
from structlog.testing import capture_logs

from tests.run_log import stderr_in_run

log = structlog.get_logger()


def test_of_a_line():
    log.debug("written", to="kari@etat.test")


def test_of_a_captured_line():
    with capture_logs() as logs:
        log.info("captured", who="01019012345")
    assert logs == [{"event": "captured", "who": "01019012345", "log_level": "info"}]


def test_of_a_library():
    logging.getLogger("library").warning("looked up 991825827")


def test_of_a_process():
    with stderr_in_run("process") as stderr:
        subprocess.run(["sh", "-c", "echo varsel: unloggable >&2"], stderr=stderr)
"""

CLEAN = """
import structlog

log = structlog.get_logger()


def test_that_passes():
    log.info("seen by nobody", order="01a223b9-76b1-797a-b9c2-bd555e0bf45f")


def test_that_fails():
    log.info("seen beside it")
    assert False


def test_that_logs_elsewhere():
    structlog.reset_defaults()


def test_that_comes_after_it():
    log.info("seen by nobody")
"""


def run_pytest(folder: Path, tests: str, *options: str) -> "subprocess.CompletedProcess[str]":
    (folder / "conftest.py").write_text('pytest_plugins = ["tests.log_plugin"]')
    (folder / "test_it.py").write_text(tests)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(("options", "process"), [((), "main"), (("-n", "1"), "gw0")])
def test_a_run_fails_that_has_logged_what_it_may_not(options: tuple[str, ...], process: str, tmp_path: Path) -> None:
    run = run_pytest(tmp_path, LEAKS, *options)

    [logs] = tmp_path.glob("varsel-test-logs-*")
    assert run.returncode == 1
    assert "4 passed" in run.stdout
    assert f"an e-mail address in 'to' of 'written': {logs}/{process}.log:1" in run.stdout
    assert f"an identity number in 'who' of 'captured': {logs}/{process}.log:2" in run.stdout
    assert f"an organisation number in 'event' of 'looked up 991825827': {logs}/{process}.log:3" in run.stdout
    assert f"a subject or body: {logs}/process.log:1" in run.stdout


def test_lines_are_shown_beside_a_test_that_fails_and_none_gets_past_the_search(tmp_path: Path) -> None:
    run = run_pytest(tmp_path, CLEAN)

    assert "2 failed, 2 passed" in run.stdout
    assert "seen beside it" in run.stdout
    assert "seen by nobody" not in run.stdout
    assert "this test has configured the logs anew" in run.stdout
    assert not list(tmp_path.glob("varsel-test-logs-*"))
