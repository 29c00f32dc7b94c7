"""The service as a process: how it starts, how it stops, what a kill costs, and who else may share its database."""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.relay_thread import relay_thread
from bench.service import Service
from tests.factories import BODY, SUBJECT
from tests.log_privacy import kinds_of
from tests.run_log import stderr_in_run
from varsel.sandbox.handler import Answer, Envelope, Handler

ORDERS = "/notifications/api/v1/orders"
LIMIT = 60.0  # seconds; a bound for a machine under load, not a measure


class CountingRelay(Handler):
    """Takes every mail and counts whose it was."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        self.taken[envelope.recipients[0].address] += 1
        return None


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # Not pytest's own folder: where we are root the embedded database's user must be able to pass.
    with tempfile.TemporaryDirectory(prefix="varsel-serve-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@contextmanager
def running(service: Service) -> Iterator[Service]:
    service.start()
    try:
        yield service
    finally:
        service.stop()


def place(service: Service, *addresses: str) -> str:
    body = {"subject": SUBJECT, "body": BODY, "recipients": [{"emailAddress": address} for address in addresses]}
    with service.owner() as client:
        order_id: str = client.post(f"{ORDERS}/email", json=body).raise_for_status().json()["orderId"]
    return order_id


def statuses_of(service: Service, order_id: str) -> Counter[str]:
    with service.owner() as client:
        summary: dict[str, Any] = client.get(f"{ORDERS}/{order_id}/notifications/email").raise_for_status().json()
    return Counter(notification["sendStatus"]["status"] for notification in summary["notifications"])


def wait_until(is_reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not is_reached():
        assert time.monotonic() < deadline, "not reached in time"
        time.sleep(0.02)  # between two looks


def varsel(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    ended = subprocess.run(
        [sys.executable, "-m", "varsel", *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"} | settings,
    )
    with stderr_in_run("commands") as file:
        file.write(ended.stderr.encode())
    return ended


def test_it_refuses_to_start_and_names_every_setting_that_is_missing() -> None:
    ended = varsel("serve", VARSEL_FROM_ADDRESS="post@etat.no")

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    missing = ("SMTP_URL", "TOKEN_ISSUERS", "PUBLIC_URL", "RETURN_PATH_DOMAIN")
    assert all(f"VARSEL_{name}" in ended.stderr for name in missing)
    assert "FROM_ADDRESS" not in ended.stderr


def test_development_mode_refuses_to_listen_beyond_this_machine(data_dir: Path) -> None:
    ended = varsel("serve", "--dev", "--host", "0.0.0.0", "--data-dir", str(data_dir))

    assert ended.returncode == 2
    assert "loopback" in ended.stderr


def test_a_port_that_is_taken_is_said_in_one_line(data_dir: Path) -> None:
    with running(Service(data_dir)) as service:
        port = service.url.rpartition(":")[2]

        ended = varsel("serve", "--dev", "--port", port, "--data-dir", str(data_dir))

    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr


def test_sigterm_ends_it_cleanly_and_its_database_with_it(data_dir: Path) -> None:
    service = Service(data_dir)
    service.start()

    exit_code = service.stop()

    assert exit_code == 0
    assert '"event": "service stopped"' in service.log
    assert not (data_dir / "postgres" / "data-18" / "postmaster.pid").exists()


def test_mails_in_flight_are_finished_before_it_stops(data_dir: Path) -> None:
    relay = CountingRelay()
    with relay_thread(relay) as port:
        service = Service(data_dir, port)
        service.start()
        order_id = place(service, *(f"kari+{number}@example.com" for number in range(500)))
        wait_until(lambda: relay.taken.total() > 0)

        service.stop()
        with running(service):
            wait_until(lambda: statuses_of(service, order_id)["Succeeded"] == 500)

    assert relay.taken.total() == 500


def test_a_kill_in_the_middle_of_sending_loses_nothing(data_dir: Path) -> None:
    relay = CountingRelay()
    with relay_thread(relay) as port:
        service = Service(data_dir, port)
        service.start()
        order_id = place(service, *(f"kari+{number}@example.com" for number in range(600)))
        wait_until(lambda: relay.taken.total() > 100)

        service.kill()
        with running(service):
            wait_until(lambda: statuses_of(service, order_id)["Succeeded"] == 600)

    assert len(relay.taken) == 600


def test_api_and_worker_are_two_processes_on_one_database(data_dir: Path) -> None:
    with relay_thread(CountingRelay()) as port:
        api = Service(data_dir, port, "--role", "api")
        worker = Service(data_dir, port, "--role", "worker")
        with running(worker), running(api):
            order_id = place(api, "kari@example.com", "ola@example.com")

            wait_until(lambda: statuses_of(api, order_id)["Succeeded"] == 2)

            assert '"event": "attempts recorded"' in worker.log


def test_a_worker_needs_no_port_and_announces_no_url(data_dir: Path) -> None:
    with relay_thread(CountingRelay()) as relay, running(Service(data_dir, relay, "--role", "api")) as api:
        port = api.url.rpartition(":")[2]

        with running(Service(data_dir, relay, "--role", "worker", "--port", port)):
            order_id = place(api, "kari@example.com")
            wait_until(lambda: statuses_of(api, order_id)["Succeeded"] == 1)

        assert api.output.count("Varsel is ready at") == 1


def test_two_services_on_one_database_send_each_mail_once(data_dir: Path) -> None:
    relay = CountingRelay()
    with relay_thread(relay) as port, running(Service(data_dir, port)) as one, running(Service(data_dir, port)) as two:
        order_id = place(one, *(f"kari+{number}@example.com" for number in range(1000)))

        wait_until(lambda: statuses_of(two, order_id)["Succeeded"] == 1000)

    assert set(relay.taken.values()) == {1}


def test_a_token_made_before_the_first_start_is_taken(data_dir: Path) -> None:
    token = varsel(
        "token", "--org", "digdir", "--data-dir", str(data_dir), VARSEL_PUBLIC_URL="http://127.0.0.1:1"
    ).stdout

    with running(Service(data_dir, None, VARSEL_PUBLIC_URL="http://127.0.0.1:1")) as service:
        [started] = [line for line in service.log.splitlines() if "service started" in line]
        service.url = f"http://127.0.0.1:{json.loads(started)['port']}"
        with service.owner() as client:
            answer = client.get(f"{ORDERS}?sendersReference=x", headers={"Authorization": f"Bearer {token.strip()}"})

    assert answer.status_code == 200


def test_an_operator_reads_every_step_of_an_order(data_dir: Path) -> None:
    with running(Service(data_dir)) as service:
        order_id = place(service, "bounced@sandbox.test")
        wait_until(lambda: statuses_of(service, order_id)["Failed_Bounced"] == 1)

        shown = varsel("show", order_id, "--data-dir", str(data_dir))

    assert shown.returncode == 0
    steps = [line.split()[2:5] for line in shown.stdout.splitlines() if " attempt 1 " in line or " report " in line]
    assert steps == [["attempt", "1", "Sending"], ["attempt", "1", "Succeeded"], ["report", "1", "Failed_Bounced"]]
    assert "550 5.1.1" in shown.stdout


def test_an_order_that_is_not_there_is_said_in_one_line(data_dir: Path) -> None:
    ended = varsel("show", "00000000-0000-0000-0000-000000000000", "--data-dir", str(data_dir))

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1


def test_settings_are_printed_without_secrets() -> None:
    secrets = {
        "VARSEL_SMTP_URL": "smtp://varsel:hemmelig@relay.example.no:587",
        "VARSEL_CLIENT_SECRET": "hemmelig://hemmelig",
    }

    printed = varsel("settings", **secrets).stdout

    assert "VARSEL_SMTP_URL=smtp://varsel:****@relay.example.no:587\n" in printed
    assert "VARSEL_CLIENT_SECRET=****\n" in printed
    assert "hemmelig" not in printed


def test_the_log_holds_no_personal_data(data_dir: Path) -> None:
    with running(Service(data_dir)) as service:
        order_id = place(service, "bounced@sandbox.test", "invalid@sandbox.test")
        wait_until(
            lambda: statuses_of(service, order_id).total() == 2 and not statuses_of(service, order_id)["Sending"]
        )

    assert "notifications" in service.log
    assert kinds_of(service.log) == []
