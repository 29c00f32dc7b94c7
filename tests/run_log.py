"""Where the log lines of a test run land: in a folder, a file for each process of the run or for several.

Lines of the processes that run tests go there as production writes them; a process that a test starts gets a file
there as its stderr (`bench.service` sees to its own). At the end of the run `tests/log_plugin.py` searches them all.
"""

import io
import os
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, NoReturn

import structlog
from structlog import testing
from structlog.typing import EventDict, WrappedLogger

from varsel.logs import configure_logs

FOLDER = "VARSEL_TEST_LOGS"  # in the environment, so that processes know it which tests start


class _EchoingFile(io.TextIOWrapper):
    """Says on stderr, too, what is written to it: pytest shows it beside a test that fails."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.open("ab"), encoding="utf-8", line_buffering=True)

    def write(self, text: str) -> int:
        sys.stderr.write(text)
        return super().write(text)


class _LandingCapture(testing.LogCapture):
    """What `capture_logs` puts in the place of all processors: it keeps the lines for a test, and lands them too."""

    def __call__(self, logger: WrappedLogger, method_name: str, event_dict: EventDict) -> NoReturn:
        line: Any = dict(event_dict)
        for processor in _configuration["processors"]:
            line = processor(logger, method_name, line)
        _configuration["logger_factory"]().msg(line)
        super().__call__(logger, method_name, event_dict)


_configuration: dict[str, Any] = {}  # structlog's, once this process logs into the run


def begin_run() -> Path:
    """Make the folder of a run, and tell whoever is started from here where it is."""
    folder = Path(tempfile.mkdtemp(prefix="varsel-test-logs-"))
    os.environ[FOLDER] = str(folder)
    return folder


def log_into_run(process: str) -> None:
    """From now on this process logs as production does, every line of ours, into its file of the run."""
    configure_logs("DEBUG", _EchoingFile(_folder() / f"{process}.log"))
    _configuration.update(structlog.get_config())
    _configuration["processors"] = _configuration["processors"].copy()  # `capture_logs` changes the list itself
    testing.LogCapture = _LandingCapture  # type: ignore[misc]


def logs_into_run() -> bool:
    """Whether that still holds; else somebody has configured the logs of this process in another way."""
    return structlog.get_config()["logger_factory"] is _configuration["logger_factory"]


def log_into_run_again() -> None:
    """Undo what somebody has configured."""
    if not logs_into_run():
        structlog.configure(**_configuration | {"processors": _configuration["processors"].copy()})


def stderr_in_run(process: str) -> IO[bytes]:
    """A file of the run for what a process says on stderr; those of one name share it."""
    return (_folder() / f"{process}.log").open("ab")


def _folder() -> Path:
    return Path(os.environ[FOLDER])
