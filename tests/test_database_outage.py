"""PostgreSQL killed, cut off, full, read-only or hung: callers are told to come back, and nothing is lost."""

import asyncio
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest

from bench.chaos_database import Database
from bench.relay_thread import relay_thread
from bench.service import Service
from tests.delivery_reports.samples import new_dsn, recipient_fields
from tests.factories import BODY, SUBJECT, notification_in, send_status_of
from tests.own_database import own_database
from tests.relay import ScriptedRelay
from tests.sandbox.smtp_client import connected
from varsel.api import app
from varsel.api.app import build_app
from varsel.api.desk import Desk
from varsel.auth.bearer import BearerTokens
from varsel.auth.caller import CREATE_SCOPE
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.contact_register.local import LocalRegister
from varsel.database import connect
from varsel.database.connect import Pool, open_pool
from varsel.database.migrate import migrate
from varsel.delivery_reports.intake import ReportIntake
from varsel.delivery_reports.record import ReportRules
from varsel.mail_server import MailServer
from varsel.notifications.liveness import Worker
from varsel.notifications.send import Sender
from varsel.notifications.send_status import SendStatus
from varsel.orders.orders_in_hand import OrdersInHand
from varsel.sandbox.handler import Answer, Envelope, Handler
from varsel.settings import Settings
from varsel.transports.return_path import ReturnPaths
from varsel.worker import Station, Wake, run_loops

ORDERS = "/notifications/api/v1/orders"
LIMIT = 20.0  # seconds; a bound for a machine under load, not a measure
UNKNOWN = UUID(int=1)
BOUNCED = new_dsn(recipient_fields()).decode()
CUT_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid()"
)


def order_to(*addresses: str) -> dict[str, Any]:
    return {"subject": SUBJECT, "body": BODY, "recipients": [{"emailAddress": address} for address in addresses]}


def asks_to_come_back(answer: httpx2.Response) -> bool:
    return (
        answer.status_code == 503
        and int(answer.headers["Retry-After"]) >= 1
        and answer.json()["title"] == "Service Unavailable"
    )


async def post_until_taken(client: httpx2.AsyncClient, address: str) -> str:
    """The order's id; before it is taken every answer is 503."""
    async with asyncio.timeout(LIMIT):
        while True:
            answer = await client.post(f"{ORDERS}/email", json=order_to(address))
            if answer.status_code == 202:
                order_id: str = answer.json()["orderId"]
                return order_id
            assert asks_to_come_back(answer)
            await asyncio.sleep(0.02)  # between two tries


async def until(is_reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT):
        while True:
            if await is_reached():
                return
            await asyncio.sleep(0.01)  # between two looks


async def until_taken(relay: ScriptedRelay, mails: int) -> None:
    async def is_reached() -> bool:
        return len(relay.taken) >= mails

    await until(is_reached)


async def until_all_are(pool: Pool, status: str) -> None:
    async def is_reached() -> bool:
        others = "SELECT count(*) FROM notifications WHERE send_status::text <> $1"
        return not await pool.fetchval(others, status)

    await until(is_reached)


async def reply_to_report(pool: Pool, return_paths: ReturnPaths, notification_id: UUID) -> str:
    """What the intake says to a bounce of this notification."""
    server = await ReportIntake(pool, ReportRules(return_paths)).listen(MailServer("lmtp", "127.0.0.1", 0))
    async with asyncio.timeout(LIMIT), connected(server.sockets[0].getsockname()[1], hello="LHLO relay.test") as relay:
        rcpt = f"RCPT TO:<{return_paths.address_of(notification_id)}>"
        replies = await relay.ask_all("MAIL FROM:<>", rcpt, "DATA", f"{BOUNCED}.")
    server.close()
    return replies[-1]


@asynccontextmanager
async def sending(station: Station) -> AsyncIterator[None]:
    """All the loops of a worker."""
    stop = asyncio.Event()
    loops = asyncio.create_task(run_loops(station, Wake(), stop))
    yield
    stop.set()
    await asyncio.wait_for(loops, LIMIT)
    await station.worker.let_go()


@pytest.fixture
def station(
    pool: Pool, dsn: str, settings: Settings, orders: OrdersInHand, sender: Sender, report_rules: ReportRules
) -> Station:
    return Station(pool, settings, Worker(dsn), orders, sender, report_rules)


@pytest.fixture
async def operator(superuser_dsn: str, dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the same server that no outage of this database touches."""
    conn = await asyncpg.connect(superuser_dsn)
    yield conn
    await conn.close()


def database_of(dsn: str) -> str:
    return dsn.partition("?")[0].rpartition("/")[2]


async def cut_all(operator: asyncpg.Connection, dsn: str) -> None:
    sql = "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE datname = $1"
    await operator.execute(sql, database_of(dsn))


@pytest.fixture
async def read_only(operator: asyncpg.Connection, dsn: str) -> AsyncIterator[asyncio.Event]:
    """A database that takes nothing, as a standby does, until the event is set."""
    over = asyncio.Event()

    async def end_it() -> None:
        await over.wait()
        await operator.execute(f'ALTER DATABASE "{database_of(dsn)}" RESET default_transaction_read_only')
        await cut_all(operator, dsn)

    await operator.execute(f'ALTER DATABASE "{database_of(dsn)}" SET default_transaction_read_only = on')
    await cut_all(operator, dsn)
    end = asyncio.create_task(end_it())
    yield over
    over.set()
    await end


async def test_while_the_database_is_read_only_nothing_is_taken_and_everything_is_shown(
    client: httpx2.AsyncClient, pool: Pool, return_paths: ReturnPaths, station: Station, read_only: asyncio.Event
) -> None:
    async with sending(station):

        async def is_shown() -> bool:
            return (await client.get(f"{ORDERS}?sendersReference=x")).status_code == 200

        await until(is_shown)  # connections that were cut are noticed one by one
        posted = await client.post(f"{ORDERS}/email", json=order_to("kari@example.com"))
        reported = await reply_to_report(pool, return_paths, UNKNOWN)
        read_only.set()
        await post_until_taken(client, "ola@example.com")
        await until_all_are(pool, "Succeeded")

    assert asks_to_come_back(posted)
    assert reported.startswith("451 ")


# What PostgreSQL says (its appendix A) when it is full, crowded, going, coming, broken, or in a failover.
ON_ITS_SIDE = "53100 53200 53300 57P01 57P02 57P03 58030 58P01 40001 40P01 25006 08006 28000 3D000 55000".split()


@pytest.fixture
async def refusing(pool: Pool, sqlstate: str) -> AsyncIterator[Pool]:
    """A server that answers each insert with this error; returns another way to it."""
    await pool.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$"
    )
    for table in ("orders", "delivery_reports"):
        await pool.execute(f"CREATE TRIGGER refuse BEFORE INSERT ON {table} EXECUTE FUNCTION refuse()")
    yield pool
    await pool.execute("DROP FUNCTION IF EXISTS refuse CASCADE")


@pytest.mark.parametrize("sqlstate", ON_ITS_SIDE)
async def test_what_the_database_refuses_is_asked_for_again(
    client: httpx2.AsyncClient, refusing: Pool, return_paths: ReturnPaths
) -> None:
    posted = await client.post(f"{ORDERS}/email", json=order_to("kari@example.com"))
    reported = await reply_to_report(refusing, return_paths, UNKNOWN)
    await refusing.execute("DROP FUNCTION refuse CASCADE")
    posted_again = await client.post(f"{ORDERS}/email", json=order_to("kari@example.com"))
    reported_again = await reply_to_report(refusing, return_paths, UNKNOWN)

    assert asks_to_come_back(posted)
    assert reported.startswith("451 ")
    assert (posted_again.status_code, reported_again[:3]) == (202, "250")


async def test_results_that_a_full_disk_keeps_out_are_recorded_later(
    pool: Pool, relay: ScriptedRelay, station: Station
) -> None:
    _, notification_id = await notification_in(pool, SendStatus.NEW)
    await pool.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$;"
        " CREATE TRIGGER refuse BEFORE UPDATE ON notifications FOR EACH ROW"
        " WHEN (NEW.send_status = 'Succeeded') EXECUTE FUNCTION refuse()"
    )

    async with sending(station):
        await until_taken(relay, 1)
        before = await send_status_of(pool, notification_id)
        await pool.execute("DROP FUNCTION refuse CASCADE")
        await until_all_are(pool, "Succeeded")

    assert before is SendStatus.SENDING
    assert len(relay.taken) == 1


async def test_connections_cut_in_the_middle_of_sending_double_and_lose_nothing(
    client: httpx2.AsyncClient,
    pool: Pool,
    relay: ScriptedRelay,
    station: Station,
    operator: asyncpg.Connection,
    dsn: str,
) -> None:
    await client.post(f"{ORDERS}/email", json=order_to(*(f"kari+{number}@example.com" for number in range(300))))

    async with sending(station):
        for taken in (30, 100, 180):
            await until_taken(relay, taken)
            await cut_all(operator, dsn)
        await until_all_are(pool, "Succeeded")

    assert len(relay.recipients) == len(set(relay.recipients)) == 300


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """A server of our own, to be stopped and starved."""
    with own_database() as database:
        yield database


@pytest.fixture
async def own_pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.dsn, connections=4)
    await migrate(pool)
    yield pool
    pool.terminate()


@pytest.fixture
async def own_client(
    own_pool: Pool, settings: Settings, issuer: DevelopmentIssuer
) -> AsyncIterator[httpx2.AsyncClient]:
    """The client of ttd at an API on that server."""
    desk = Desk(own_pool, settings, BearerTokens({issuer.issuer: issuer}), lambda: None, LocalRegister(own_pool))
    transport = httpx2.ASGITransport(build_app(desk), raise_app_exceptions=False)
    token = issuer.token(scopes=[CREATE_SCOPE], lifetime=timedelta(minutes=5), org="ttd")
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://varsel.test", headers={"Authorization": f"Bearer {token}"}
    ) as client:
        yield client


async def test_too_many_connections_are_no_fault_of_the_callers(
    own_client: httpx2.AsyncClient, own_pool: Pool, database: Database
) -> None:
    operator = await asyncpg.connect(database.dsn.replace("//varsel@", "//postgres@"))
    await operator.execute("ALTER DATABASE varsel CONNECTION LIMIT 0")
    await operator.execute(CUT_OTHERS)

    answers = [await own_client.post(f"{ORDERS}/email", json=order_to("kari@example.com")) for _ in range(6)]
    health = await own_client.get("/health")
    await operator.execute("ALTER DATABASE varsel CONNECTION LIMIT -1")
    await operator.close()
    await post_until_taken(own_client, "kari@example.com")

    assert all(asks_to_come_back(answer) for answer in answers)
    assert health.status_code == 503


async def test_a_database_that_hangs_holds_nobody_longer_than_the_limits(
    own_client: httpx2.AsyncClient, own_pool: Pool, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "CONNECT_TIMEOUT", timedelta(seconds=1))
    monkeypatch.setattr(connect, "USE_LIMIT", timedelta(seconds=1))
    monkeypatch.setattr(app, "HEALTH_TIMEOUT", 0.5)
    rows = await own_pool.fetch("SELECT secret FROM return_path_keys")
    return_paths = ReturnPaths("bounce.varsel.test", [row["secret"] for row in rows])
    database.freeze()
    began_at = time.monotonic()

    try:
        # More than there are connections: those who come later find no free one.
        answers = await asyncio.gather(
            *(own_client.post(f"{ORDERS}/email", json=order_to("kari@example.com")) for _ in range(8)),
            *(own_client.get(f"{ORDERS}/{UNKNOWN}") for _ in range(8)),
        )
        reported = await reply_to_report(own_pool, return_paths, uuid4())
        health = await own_client.get("/health")
        took = time.monotonic() - began_at
    finally:
        database.thaw()
    await post_until_taken(own_client, "kari@example.com")

    assert all(asks_to_come_back(answer) for answer in answers)
    assert (reported[:4], health.status_code) == ("451 ", 503)
    assert took < 10  # twice the limits for the requests and for the report, and room for a slow machine


class SlowRelay(Handler):
    """Takes every mail after a moment, so that some are always on their way, and counts whose it was."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        await asyncio.sleep(0.05)  # what a relay takes for its disk
        self.taken[envelope.recipients[0].address] += 1
        return None


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="varsel-outage-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


CUT_OFF_BY_KEYS = """
    ALTER TABLE return_path_keys RENAME TO kept_keys;
    CREATE FUNCTION cut_off(secret bytea) RETURNS bytea LANGUAGE sql
        AS 'SELECT CASE WHEN pg_terminate_backend(pg_backend_pid()) THEN secret END';
    CREATE VIEW return_path_keys AS SELECT cut_off(secret) AS secret, id FROM kept_keys;
    CREATE RULE kept AS ON INSERT TO return_path_keys DO INSTEAD NOTHING;
"""


async def cut_off_who_reads_keys(dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    await conn.execute(CUT_OFF_BY_KEYS)
    await conn.close()


def test_a_worker_that_loses_the_database_while_it_starts_says_so_and_logs_no_error(data_dir: Path) -> None:
    with own_database() as database:
        worker = Service(data_dir, 1, "--role", "worker", VARSEL_DATABASE_URL=database.dsn)
        worker.start()
        worker.stop()
        asyncio.run(cut_off_who_reads_keys(database.dsn))

        with pytest.raises(RuntimeError, match="did not start"):
            worker.start()

    assert worker.exit_code == 2
    assert b"varsel: PostgreSQL cannot be used" in worker.last_words
    assert b'"level": "error"' not in worker.last_words


def kill_postmaster(data_dir: Path) -> None:
    [file] = data_dir.glob("postgres/data-*/postmaster.pid")
    os.kill(int(file.read_text().splitlines()[0]), signal.SIGKILL)


def test_a_killed_database_costs_callers_a_second_try_and_recipients_nothing(data_dir: Path) -> None:
    relay = SlowRelay()
    placed: list[str] = []
    refused = 0
    with relay_thread(relay) as port:
        service = Service(data_dir, port)
        service.start()
        with service.owner() as client:
            deadline = time.monotonic() + LIMIT
            while not (refused and len(placed) > 300):
                assert time.monotonic() < deadline, "the API does not take orders again"
                if len(placed) == 150 and not refused:
                    kill_postmaster(data_dir)
                address = f"kari+{len(placed)}-{refused}@example.com"
                answer = client.post(f"{ORDERS}/email", json=order_to(address))
                if answer.status_code == 202:
                    placed.append(address)
                else:
                    assert asks_to_come_back(answer)
                    refused += 1
            while not set(placed) <= set(relay.taken):
                assert time.monotonic() < deadline + LIMIT, "orders are lost"
                time.sleep(0.02)  # between two looks
        exit_code = service.stop()

    assert exit_code == 0
    assert set(relay.taken.values()) == {1}
