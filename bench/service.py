"""Run the service as a process of its own, as a user would, against a relay of ours."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

START_LIMIT = 90.0  # seconds
STOP_LIMIT = 10.0  # seconds that SIGTERM may take: what we promise
STARTED = b'"event": "service started"'


class Service:
    """`varsel serve --dev` in a data directory, handing its mail to the relay on this port, or to its sandbox."""

    def __init__(self, data_dir: Path, relay_port: int | None = None, *arguments: str, **settings: str) -> None:
        self._data_dir = data_dir
        self._arguments = arguments
        self._settings = settings
        if relay_port is not None:
            self._settings["VARSEL_SMTP_URL"] = f"smtp://127.0.0.1:{relay_port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._said_before = 0  # bytes in the log when the process began
        self._has_started = False
        self.program = "varsel"  # the module that is run
        self.url = ""

    @property
    def log_file(self) -> Path:
        """Where it writes stderr, all its processes into one."""
        if run := os.environ.get("VARSEL_TEST_LOGS"):  # of tests, which search all logs at their end
            return Path(run) / f"{str(self._data_dir).replace('/', '-').strip('-')}.log"
        return self._data_dir / "log"

    @property
    def log(self) -> str:
        """What it has said on stderr."""
        return self.log_file.read_text(encoding="utf-8")

    @property
    def output(self) -> str:
        """What it has said on stdout."""
        return self._output_file.read_text(encoding="utf-8")

    @property
    def _output_file(self) -> Path:
        return self._data_dir / "output"

    @property
    def pid(self) -> int:
        """The number of the process that runs, or ran last."""
        assert self._process is not None
        return self._process.pid

    @property
    def was_spawned(self) -> bool:
        """Whether there is, or was, a process at all."""
        return self._process is not None

    @property
    def exit_code(self) -> int | None:
        """None as long as it runs; below zero the signal that ended it."""
        assert self._process is not None
        return self._process.poll()

    @property
    def last_words(self) -> bytes:
        """What the process that runs, or ran last, has said on stderr."""
        with self.log_file.open("rb") as log:
            log.seek(self._said_before)
            return log.read()

    @property
    def has_started(self) -> bool:
        """Whether the process that runs, or ran last, has said that it is there."""
        self._has_started = self._has_started or STARTED in self.last_words
        return self._has_started

    def start(self) -> None:
        """Start it and wait until it answers."""
        ready = self._data_dir / "public-url"
        is_worker = "worker" in self._arguments  # it has no URL that could be waited for
        if not is_worker:
            ready.unlink(missing_ok=True)
        self.spawn()
        deadline = time.monotonic() + START_LIMIT
        while not (self.has_started if is_worker else ready.exists()):
            if self.exit_code is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service did not start: see {self.log_file}")
            time.sleep(0.02)
        self.url = "" if is_worker else ready.read_text(encoding="utf-8")

    def spawn(self) -> None:
        """Start it and wait for nothing."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VARSEL_")}
        command = [
            sys.executable,
            "-m",
            self.program,
            "serve",
            "--dev",
            "--port",
            "0",
            "--data-dir",
            str(self._data_dir),
        ]
        with self.log_file.open("ab") as log, self._output_file.open("ab") as output:
            self._said_before, self._has_started = log.tell(), False
            self._process = subprocess.Popen(
                [*command, *self._arguments], stdout=output, stderr=log, env=environment | self._settings
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: no goodbye, nothing written."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM, and SIGKILL where that is not enough within the ten seconds promised; returns the exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_LIMIT)
            self.kill()
        return self._process.returncode

    @contextmanager
    def owner(self) -> Iterator[httpx2.Client]:
        """A client of the service owner ttd."""
        with httpx2.Client(base_url=self.url, timeout=60.0) as client:
            token = client.get("/api/GetEnterpriseToken", params={"org": "ttd", "ttl": "86400"}).text
            client.headers["Authorization"] = f"Bearer {token}"
            yield client
