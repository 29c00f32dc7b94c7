"""Run the service as a process of its own, as a user would, against a relay of ours."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

START_LIMIT = 90.0  # seconds
STARTED = '"event": "service started"'


class Service:
    """`varsel serve --dev` in a data directory, handing its mail to the relay on this port, or to its sandbox."""

    def __init__(self, data_dir: Path, relay_port: int | None = None, *arguments: str, **settings: str) -> None:
        self._data_dir = data_dir
        self._arguments = arguments
        self._settings = settings
        if relay_port is not None:
            self._settings["VARSEL_SMTP_URL"] = f"smtp://127.0.0.1:{relay_port}"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def log(self) -> str:
        """What it has said on stdout and stderr."""
        return (self._data_dir / "log").read_text(encoding="utf-8")

    @property
    def pid(self) -> int:
        """The number of the process that runs, or ran last."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        ready = self._data_dir / "public-url"
        is_worker = "worker" in self._arguments  # it has no URL that could be waited for
        if not is_worker:
            ready.unlink(missing_ok=True)
        said_before = len(self.log) if (self._data_dir / "log").exists() else 0
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VARSEL_")}
        command = [sys.executable, "-m", "varsel", "serve", "--dev", "--port", "0", "--data-dir", str(self._data_dir)]
        with (self._data_dir / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._arguments], stdout=log, stderr=log, env=environment | self._settings
            )
        deadline = time.monotonic() + START_LIMIT
        while not (STARTED in self.log[said_before:] if is_worker else ready.exists()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service did not start: see {self._data_dir / 'log'}")
            time.sleep(0.02)
        self.url = "" if is_worker else ready.read_text(encoding="utf-8")

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
                self._process.wait(10)
            self.kill()
        return self._process.returncode

    @contextmanager
    def owner(self) -> Iterator[httpx2.Client]:
        """A client of the service owner ttd."""
        with httpx2.Client(base_url=self.url, timeout=60.0) as client:
            token = client.get("/api/GetEnterpriseToken", params={"org": "ttd", "ttl": "86400"}).text
            client.headers["Authorization"] = f"Bearer {token}"
            yield client
