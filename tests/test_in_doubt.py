"""Workers killed and told to stop with mails at the relay: what becomes of a mail whose answer nobody heard."""

import asyncio
import signal
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from bench.chaos_database import Database
from bench.relay_thread import relay_thread
from bench.service import Service
from tests.delivery_reports.samples import new_dsn, recipient_fields
from tests.factories import BODY, SUBJECT, placed_notification, send_status_of
from tests.notifications.sending import RULES, PatientRelay
from tests.own_database import own_database
from tests.processing import orders_in_hand
from tests.sandbox.smtp_client import connected
from varsel.database.connect import Pool
from varsel.delivery_reports.intake import ReportIntake
from varsel.delivery_reports.record import ReportRules
from varsel.mail_server import MailServer
from varsel.notifications import liveness
from varsel.notifications.liveness import Worker, find_missing_workers
from varsel.notifications.send import Sender
from varsel.notifications.send_status import SendStatus
from varsel.relay import Relay
from varsel.sandbox.handler import Answer, Envelope, Handler
from varsel.sandbox.smtp_server import SmtpServer
from varsel.settings import Settings
from varsel.transports.return_path import ReturnPaths
from varsel.transports.smtp import SmtpTransport
from varsel.worker import Station, Wake, run_loops

S = SendStatus
LIMIT = 20.0  # seconds; a bound for a machine under load, not a measure
STOP_LIMIT = 10.0  # seconds that SIGTERM may take: what we promise
DELIVERED = new_dsn(recipient_fields("delivered", "2.0.0", "smtp; 250 2.0.0 Ok")).decode()


class HoldingRelay(PatientRelay):
    """Remembers what came as far as the final dot, and withholds its answer while the gate is shut."""

    def __init__(self) -> None:
        super().__init__()
        self.contents: list[bytes] = []

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        self.contents.append(content)
        return await super().on_message(envelope, content)

    @property
    def message_ids(self) -> list[str]:
        return [message_from_bytes(content)["Message-ID"] for content in self.contents]


@pytest.fixture
async def relay() -> AsyncIterator[HoldingRelay]:
    script = HoldingRelay()
    script.gate.clear()
    async with SmtpServer(script) as server:
        script.port = server.port
        yield script


@pytest.fixture
async def doomed(dsn: str, relay: HoldingRelay) -> AsyncIterator[Service]:
    """A worker as a process of its own."""
    with tempfile.TemporaryDirectory(prefix="varsel-doomed-") as folder:
        service = Service(Path(folder), relay.port, "--role", "worker", VARSEL_DATABASE_URL=dsn)
        await asyncio.to_thread(service.start)
        yield service
        if service.exit_code is None:
            service.kill()


async def until(is_reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT):
        while True:
            if await is_reached():
                return
            await asyncio.sleep(0.02)  # between two looks


async def until_it_is(pool: Pool, notification_id: UUID, status: SendStatus) -> None:
    async def is_reached() -> bool:
        return await send_status_of(pool, notification_id) is status

    await until(is_reached)


async def until_in_doubt(pool: Pool) -> None:
    async def is_reached() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM notifications WHERE in_doubt_since IS NOT NULL"))

    await until(is_reached)


@asynccontextmanager
async def another_worker(
    pool: Pool, dsn: str, relay: HoldingRelay, return_paths: ReturnPaths, settings: Settings
) -> AsyncIterator[None]:
    """All the loops of a worker in this process."""
    transport = SmtpTransport(Relay(MailServer("smtp", "127.0.0.1", relay.port), connections=4), notify=["success"])
    rules = replace(RULES, domain=settings.bounce_domain)
    sender = Sender(pool, transport, return_paths, rules)
    station = Station(pool, settings, Worker(dsn), orders_in_hand(pool), sender, ReportRules(return_paths))
    stop = asyncio.Event()
    loops = asyncio.create_task(run_loops(station, Wake(), stop))
    yield
    stop.set()
    await asyncio.wait_for(loops, LIMIT)
    await transport.close()
    await station.worker.let_go()


async def report_delivery(pool: Pool, return_paths: ReturnPaths, envelope: Envelope) -> str:
    """Bring the report to the listener of a worker that still runs; returns its last reply."""
    server = await ReportIntake(pool, ReportRules(return_paths)).listen(MailServer("lmtp", "127.0.0.1", 0))
    async with asyncio.timeout(LIMIT), connected(server.sockets[0].getsockname()[1], hello="LHLO relay.test") as client:
        replies = await client.ask_all("MAIL FROM:<>", f"RCPT TO:<{envelope.sender}>", "DATA", f"{DELIVERED}.")
    server.close()
    return replies[-1]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A short wait for reports."""
    return settings.model_copy(update={"in_doubt_wait": timedelta(seconds=1)})


@pytest.fixture
def return_paths(return_paths: ReturnPaths, settings: Settings, return_path_keys: list[bytes]) -> ReturnPaths:
    """Those of the process, which has the development mode's domain."""
    return ReturnPaths(settings.bounce_domain, return_path_keys)


@pytest.fixture
async def return_path_keys(pool: Pool) -> list[bytes]:
    return [row["secret"] for row in await pool.fetch("SELECT secret FROM return_path_keys ORDER BY id DESC")]


@pytest.fixture
async def orphan(pool: Pool, doomed: Service, relay: HoldingRelay, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """A mail that the relay has, and whose worker was killed before it heard so; it will soon be missed."""
    monkeypatch.setattr(liveness, "GRACE", timedelta(seconds=0.5))
    _, notification_id = await placed_notification(pool)
    await relay.until_here(1)
    doomed.kill()
    assert await send_status_of(pool, notification_id) is S.SENDING
    return notification_id


async def test_a_report_settles_what_a_killed_worker_left(
    pool: Pool, dsn: str, relay: HoldingRelay, return_paths: ReturnPaths, settings: Settings, orphan: UUID
) -> None:
    async with another_worker(pool, dsn, relay, return_paths, settings):
        await until_in_doubt(pool)
        reply = await report_delivery(pool, return_paths, relay.envelopes[0])
        await until_it_is(pool, orphan, S.DELIVERED)

    # Delivered is no status that anything is sent from, so this one mail stays the only one.
    assert reply.startswith("250 ")
    assert len(relay.envelopes) == 1


async def test_without_a_report_the_mail_is_sent_again_as_the_same(
    pool: Pool, dsn: str, relay: HoldingRelay, return_paths: ReturnPaths, settings: Settings, orphan: UUID
) -> None:
    async with another_worker(pool, dsn, relay, return_paths, settings):
        await relay.until_here(2)
        relay.gate.set()
        await until_it_is(pool, orphan, S.SUCCEEDED)

    first, second = relay.envelopes
    assert first.sender == second.sender
    assert first.envid == second.envid == str(orphan)
    assert relay.message_ids[0] == relay.message_ids[1]


async def test_where_doubt_means_failure_nothing_is_sent_again_and_a_late_report_overrules_it(
    pool: Pool, dsn: str, relay: HoldingRelay, return_paths: ReturnPaths, settings: Settings, orphan: UUID
) -> None:
    settings = settings.model_copy(update={"in_doubt": "fail"})

    async with another_worker(pool, dsn, relay, return_paths, settings):
        await until_it_is(pool, orphan, S.FAILED)
        await report_delivery(pool, return_paths, relay.envelopes[0])
        await until_it_is(pool, orphan, S.DELIVERED)

    assert len(relay.envelopes) == 1


async def test_a_lock_that_is_back_in_time_casts_no_doubt_on_the_mails_in_flight(
    pool: Pool, dsn: str, relay: HoldingRelay, sender: Sender
) -> None:
    """As after a restart of the database, which frees all locks at once."""
    worker = Worker(dsn)
    await worker.prove_alive()
    _, notification_id = await placed_notification(pool)
    assert worker.number is not None
    sending = asyncio.create_task(sender.send_due(worker.number))
    await relay.until_here(1)

    await pool.execute("SELECT pg_terminate_backend(pid, 1000) FROM pg_locks WHERE locktype = 'advisory'")
    await find_missing_workers(pool)  # somebody else is quicker than the worker
    await worker.prove_alive()
    await find_missing_workers(pool)
    in_doubt = await pool.fetchval("SELECT count(*) FROM notifications WHERE in_doubt_since IS NOT NULL")
    relay.gate.set()
    await until_it_is(pool, notification_id, S.SUCCEEDED)
    await sending
    await worker.let_go()

    assert (in_doubt, len(relay.envelopes)) == (0, 1)


async def test_sigterm_lets_a_mail_in_flight_finish(pool: Pool, doomed: Service, relay: HoldingRelay) -> None:
    _, notification_id = await placed_notification(pool)
    await relay.until_here(1)

    stopping = asyncio.create_task(asyncio.to_thread(doomed.stop))
    relay.gate.set()

    assert await stopping == 0
    assert await send_status_of(pool, notification_id) is S.SUCCEEDED
    assert await pool.fetchval("SELECT count(*) FROM workers") == 0


async def test_sigterm_does_not_wait_for_a_relay_that_never_answers(
    pool: Pool, doomed: Service, relay: HoldingRelay
) -> None:
    _, notification_id = await placed_notification(pool)
    await relay.until_here(1)

    exit_code = await asyncio.to_thread(doomed.stop)  # SIGKILL after ten seconds

    assert exit_code == 0
    assert await send_status_of(pool, notification_id) is S.SENDING
    # It stays until somebody has found out what became of the mail.
    assert await pool.fetchval("SELECT count(*) FROM workers") == 1


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """A server of our own, to be stopped."""
    with own_database() as database:
        yield database


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="varsel-doubt-") as folder:
        yield Path(folder)


class ReleasedRelay(Handler):
    """In a thread of its own: answers the final dot once it is released."""

    def __init__(self) -> None:
        self.has_come = threading.Event()
        self.is_released = threading.Event()

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        self.has_come.set()
        await asyncio.to_thread(self.is_released.wait, LIMIT)
        return None


def test_sigterm_does_not_wait_for_a_database_that_hangs(database: Database, folder: Path) -> None:
    relay = ReleasedRelay()
    with relay_thread(relay) as port:
        service = Service(folder, port, VARSEL_DATABASE_URL=database.dsn)
        service.start()
        with service.owner() as client:
            place(client)
            assert relay.has_come.wait(LIMIT)
            database.freeze()
            try:
                relay.is_released.set()  # a result that cannot be written
                asking = threading.Thread(target=place_in_vain, args=[client])  # a request that cannot be answered
                asking.start()

                exit_code = service.stop()  # SIGKILL after ten seconds

                asking.join(LIMIT)
            finally:
                database.thaw()

    assert exit_code == 0


def place(client: httpx2.Client) -> None:
    body = {"subject": SUBJECT, "body": BODY, "recipients": [{"emailAddress": "kari@example.com"}]}
    client.post("/notifications/api/v1/orders/email", json=body).raise_for_status()


def place_in_vain(client: httpx2.Client) -> None:
    with pytest.raises(httpx2.HTTPError):  # the connection ends with the service
        place(client)


def test_sigterm_does_not_wait_for_a_start_that_a_hung_database_holds_up(database: Database, folder: Path) -> None:
    service = Service(folder, None, "--role", "worker", VARSEL_DATABASE_URL=database.dsn)
    database.freeze()
    try:
        service.spawn()
        deadline = time.monotonic() + LIMIT
        while not handles_sigterm(service.pid):
            assert time.monotonic() < deadline
            time.sleep(0.02)  # between two looks

        exit_code = service.stop()  # SIGKILL after ten seconds
    finally:
        database.thaw()

    assert exit_code == 0


def handles_sigterm(pid: int) -> bool:
    """Until then SIGTERM ends it at once."""
    [caught] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt")]
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
