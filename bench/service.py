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


class Service:
    """`varsel serve --dev` in a data directory, handing its mail to the relay on this port."""

    def __init__(self, data_dir: Path, relay_port: int, port: int = 0) -> None:
        self._data_dir = data_dir
        self._relay_port = relay_port
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        """Start it and wait until it answers."""
        ready = self._data_dir / "public-url"
        ready.unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VARSEL_")}
        environment["VARSEL_SMTP_URL"] = f"smtp://127.0.0.1:{self._relay_port}"
        command = [sys.executable, "-m", "varsel", "serve", "--dev", "--port", str(self._port)]
        with (self._data_dir / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--data-dir", str(self._data_dir)], stdout=log, stderr=log, env=environment
            )
        deadline = time.monotonic() + START_LIMIT
        while not ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service did not start: see {self._data_dir / 'log'}")
            time.sleep(0.02)
        self.url = ready.read_text(encoding="utf-8")

    def kill(self) -> None:
        """SIGKILL: no goodbye, nothing written."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that is not enough."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(12)
            self.kill()

    @contextmanager
    def owner(self) -> Iterator[httpx2.Client]:
        """A client of the service owner ttd."""
        with httpx2.Client(base_url=self.url, timeout=60.0) as client:
            token = client.get("/api/GetEnterpriseToken", params={"org": "ttd", "ttl": "86400"}).text
            client.headers["Authorization"] = f"Bearer {token}"
            yield client
