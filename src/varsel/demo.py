"""The main job from end to end: a service of its own, an order over HTTP, its notifications watched until final."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.live import Live
from rich.table import Table

START_LIMIT = 90.0  # seconds; a first start makes a database
WATCH_LIMIT = 60.0  # seconds; the deferred one takes about three
POLL = 0.1  # seconds
STOP_LIMIT = 12.0  # seconds; the service promises ten

EXAMPLE_ORDER = {
    "sendersReference": "demo-1",
    "subject": "Vedtak om barnehageplass – æøå",
    "body": "<h1>Hei!</h1><p>Søknaden din er <b>innvilget</b>. Les <a href='https://example.no/'>mer</a>.</p>",
    "contentType": "Html",
    "recipients": [
        {"emailAddress": "delivered@sandbox.test"},
        {"emailAddress": "bounced@sandbox.test"},
        {"emailAddress": "spam@sandbox.test"},
        {"emailAddress": "quarantined@sandbox.test"},
        {"emailAddress": "invalid@sandbox.test"},
        {"emailAddress": "failed@sandbox.test"},
        {"emailAddress": "deferred@sandbox.test"},
        # By identity: the sandbox's contact register knows these, each with a fate (docs/sandbox.md).
        {"nationalIdentityNumber": "01818011039"},  # has an address
        {"organizationNumber": "310400009"},  # has two addresses
        {"nationalIdentityNumber": "03818011007"},  # is reserved
        {"organizationNumber": "310500003"},  # has none
    ],
}


def run_demo() -> int:
    """Run it; returns the exit code."""
    console = Console()
    console.print("Starting the service on its embedded PostgreSQL, in development mode…")
    with _service() as (url, log_file), httpx2.Client(base_url=url, timeout=10.0) as client:
        try:
            answer = _watch_order(client, console)
        except (httpx2.HTTPError, TimeoutError) as error:
            console.print(f"The demo failed: {error}\n{log_file.read_text(encoding='utf-8')[-2000:]}", markup=False)
            return 1
    # Not through the console, which would wrap and colour it: this is for programs too.
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 0


def _watch_order(client: httpx2.Client, console: Console) -> dict[str, Any]:
    token = client.get("/api/GetEnterpriseToken", params={"org": "ttd"}).raise_for_status().text
    client.headers["Authorization"] = f"Bearer {token}"
    placed = client.post("/notifications/api/v1/orders/email", json=EXAMPLE_ORDER).raise_for_status()
    answered = f"{placed.status_code}, {placed.headers['location']}"
    console.print(f"POST /notifications/api/v1/orders/email -> {answered}", soft_wrap=True)
    console.print(f"recipientLookup: {json.dumps(placed.json()['recipientLookup'])}", soft_wrap=True, highlight=False)
    path = f"{placed.headers['location']}/notifications/email"
    console.print(f"GET {path}\n", soft_wrap=True)
    shown = _LiveTable(console) if console.is_terminal else _Lines(console)
    with shown as progress:
        deadline = time.monotonic() + WATCH_LIMIT
        while time.monotonic() < deadline:
            answer: dict[str, Any] = client.get(path).raise_for_status().json()
            progress.update(answer["notifications"])
            if answer["notifications"] and all(map(_is_final, answer["notifications"])):
                return answer
            time.sleep(POLL)
    raise TimeoutError(f"not every notification was final after {WATCH_LIMIT:.0f} s")


def _shown_recipient(notification: dict[str, Any]) -> str:
    """The address, or whom there is none for; and behind it who was ordered."""
    recipient = notification["recipient"]
    identity = recipient.get("organizationNumber") or recipient.get("nationalIdentityNumber") or ""
    return " ".join(filter(None, (recipient["emailAddress"] or "(nobody)", identity)))


def _is_final(notification: dict[str, Any]) -> bool:
    return notification["sendStatus"]["status"] not in ("New", "Sending", "Succeeded")


class _Lines:
    """One line for each change of a status, where nobody watches a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, str] = {}

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *exception: object) -> None:
        self._console.print()

    def update(self, notifications: list[dict[str, Any]]) -> None:
        for notification in notifications:
            status = notification["sendStatus"]["status"]
            if self._last.get(notification["id"]) != status:
                self._last[notification["id"]] = status
                line = f"{notification['sendStatus']['lastUpdate']:28} {_shown_recipient(notification):40} {status}"
                self._console.print(line, soft_wrap=True, highlight=False)


class _LiveTable:
    """The notifications as a table that changes in place; each keeps the way it came."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False)
        self._ways: dict[str, list[str]] = {}

    def __enter__(self) -> "_LiveTable":
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def update(self, notifications: list[dict[str, Any]]) -> None:
        table = Table("recipient", "send status", "so far")
        for notification in notifications:
            status = notification["sendStatus"]["status"]
            way = self._ways.setdefault(notification["id"], [])
            if not way or way[-1] != status:
                way.append(status)
            colour = "green" if status == "Delivered" else "red" if status.startswith("Failed") else "yellow"
            table.add_row(_shown_recipient(notification), f"[{colour}]{status}[/]", " → ".join(way))
        self._live.update(table, refresh=True)


@contextmanager
def _service() -> Iterator[tuple[str, Path]]:
    """A service of our own in a fresh data directory, and where its log is; stopped and removed at the end."""
    with tempfile.TemporaryDirectory(prefix="varsel-demo-") as folder:
        data_dir = Path(folder)
        data_dir.chmod(0o711)  # the embedded database's user passes through
        log_file = data_dir / "log"
        # What is set for a real service must not reach the demo's; only where PostgreSQL's programs are may.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("VARSEL_") or name in ("VARSEL_PG_BIN", "VARSEL_PG_OS_USER")
        }
        with log_file.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603  # ourselves
                [sys.executable, "-m", "varsel", "serve", "--dev", "--port", "0", "--data-dir", folder],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environment,
            )
        try:
            yield _wait_until_ready(process, data_dir / "public-url", log_file), log_file
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_LIMIT)
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], file: Path, log_file: Path) -> str:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists():
            return file.read_text(encoding="utf-8")
        time.sleep(POLL / 4)
    sys.exit(f"varsel: the service did not start:\n{log_file.read_text(encoding='utf-8')[-2000:]}")
