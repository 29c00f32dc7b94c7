"""pytest's hooks by which every log line of a run lands in files, and the run fails if one holds personal data."""

import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.log_privacy import Finding, findings_in
from tests.run_log import begin_run, log_into_run, log_into_run_again, logs_into_run

SHOWN = 20  # findings; more of them help nobody
LOGS_ELSEWHERE = "this test has configured the logs anew: its lines cannot be searched for personal data"

_folder = pytest.StashKey[Path]()
_findings = pytest.StashKey[list[Finding]]()


def pytest_configure(config: pytest.Config) -> None:
    """Let this process log into the run; the one that the others are started from begins it."""
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is None:
        config.stash[_folder] = begin_run()
    log_into_run(worker["workerid"] if worker else "main")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Run a test, and fail it if its log lines go elsewhere."""
    yield
    if not logs_into_run():
        pytest.fail(LOGS_ELSEWHERE, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None]:
    """Let the next test not be taken for the one that did so."""
    yield
    log_into_run_again()


# Inside of the one that prints the summary, and around those that end servers and workers.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, Any]:
    """Search all lines; the process that began the run does."""
    result = yield
    stash = session.config.stash
    if _folder in stash:
        stash[_findings] = findings_in(stash[_folder])
        if stash[_findings] and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return result


def pytest_unconfigure(config: pytest.Config) -> None:
    """Keep the files of a run only where there is something to see in them."""
    if _folder in config.stash and not config.stash.get(_findings, []):
        shutil.rmtree(config.stash[_folder])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was found."""
    findings = config.stash.get(_findings, [])
    if findings:
        terminalreporter.section("personal data in log lines", red=True, bold=True)
        for finding in findings[:SHOWN]:
            terminalreporter.line(str(finding))
        terminalreporter.line(f"{len(findings)} in all: the run has failed. No log line may hold these, at any level.")
