"""Rounds of sending: how much is claimed, what is held meanwhile, and how it ends."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from structlog.testing import capture_logs

from tests.factories import placed_order
from tests.notifications.sending import LIMIT, RULES, FakeTransport, PatientRelay, number_of, send_all
from varsel.database.connect import Pool, open_pool
from varsel.notifications.liveness import Worker
from varsel.notifications.send import Sender
from varsel.notifications.send_status import claim_notifications
from varsel.orders.order import Recipient
from varsel.sandbox.smtp_server import SmtpServer
from varsel.transports.return_path import ReturnPaths
from varsel.transports.smtp import SmtpTransport
from varsel.transports.transport import Accepted


@pytest.fixture
async def relay() -> AsyncIterator[PatientRelay]:
    script = PatientRelay()
    async with SmtpServer(script) as server:
        script.port = server.port
        yield script


async def place(pool: Pool, recipients: int) -> None:
    await placed_order(pool, [Recipient(email_address=f"kari+{n}@sandbox.test") for n in range(recipients)])


async def statuses(pool: Pool) -> dict[str, int]:
    rows = await pool.fetch("SELECT send_status, count(*) AS notifications FROM notifications GROUP BY 1")
    return {row["send_status"]: row["notifications"] for row in rows}


async def until_a_backend_waits(conn: "asyncpg.Connection[asyncpg.Record]") -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(LIMIT):
        while not await conn.fetchval(waiting):
            # Within a transaction the view stands still until it is told otherwise.
            await conn.execute("SELECT pg_stat_clear_snapshot()")


async def test_a_round_says_whether_there_was_anything_due(pool: Pool, sender: Sender, worker: Worker) -> None:
    await place(pool, 1)

    found = [await sender.send_due(number_of(worker)) for _ in range(2)]

    await sender.drain()
    assert found == [True, False]


async def test_what_was_claimed_by_a_claim_whose_answer_was_lost_is_sent_without_waiting_for_the_lease(
    pool: Pool, dsn: str, relay: PatientRelay, sender: Sender, worker: Worker
) -> None:
    await place(pool, 3)
    blocker = await asyncpg.connect(dsn)
    await blocker.execute("BEGIN; LOCK TABLE notifications")
    claiming = asyncio.create_task(sender.send_due(number_of(worker)))
    await until_a_backend_waits(blocker)
    claiming.cancel()  # as a lost connection would: what the server makes of it stays unknown
    await asyncio.gather(claiming, return_exceptions=True)
    await blocker.execute("COMMIT")
    await blocker.close()
    await claim_notifications(pool, number_of(worker), 3)  # stands for the claim that was committed all the same

    await asyncio.wait_for(send_until_nothing_is_due(sender, worker), LIMIT)

    assert await statuses(pool) == {"Succeeded": 3}


async def send_until_nothing_is_due(sender: Sender, worker: Worker) -> None:
    while await sender.send_due(number_of(worker)):
        pass
    await sender.drain()


async def test_no_more_is_claimed_than_may_be_in_hand(
    pool: Pool, relay: PatientRelay, sender: Sender, worker: Worker
) -> None:
    await place(pool, 40)
    relay.gate.clear()
    first = asyncio.create_task(sender.send_due(number_of(worker)))
    await relay.until_here(4)
    second = asyncio.create_task(sender.send_due(number_of(worker)))  # finds no room, however much is due

    claimed = [await statuses(pool) for _ in range(5)]

    assert claimed == [{"New": 24, "Sending": 16}] * 5
    relay.gate.set()
    await asyncio.wait_for(asyncio.gather(first, second), LIMIT)
    await sender.drain()


async def test_round_after_round_everything_due_is_sent_once(
    pool: Pool, relay: PatientRelay, sender: Sender, worker: Worker
) -> None:
    await place(pool, 40)

    await asyncio.wait_for(send_until_nothing_is_due(sender, worker), LIMIT)

    assert await statuses(pool) == {"Succeeded": 40}
    assert sorted(relay.recipients) == sorted(f"kari+{n}@sandbox.test" for n in range(40))


async def test_no_more_is_handed_over_than_may_be_unrecorded(
    pool: Pool, dsn: str, relay: PatientRelay, transport: SmtpTransport, return_paths: ReturnPaths, worker: Worker
) -> None:
    await place(pool, 6)
    relay.gate.clear()
    sender = Sender(pool, transport, return_paths, replace(RULES, unrecorded=2))
    await sender.send_due(number_of(worker))
    await relay.until_here(2)
    conn = await asyncpg.connect(dsn)
    async with conn.transaction():
        await conn.execute("SELECT FROM notifications FOR UPDATE")  # so that nothing can be recorded
        relay.gate.set()

        await until_a_backend_waits(conn)

        assert len(relay.envelopes) == 2
    await conn.close()
    await asyncio.wait_for(sender.drain(), LIMIT)
    assert await statuses(pool) == {"Succeeded": 6}


async def test_no_database_connection_is_held_while_the_relay_is_spoken_to(
    dsn: str, pool: Pool, relay: PatientRelay, transport: SmtpTransport, return_paths: ReturnPaths, worker: Worker
) -> None:
    await place(pool, 8)
    relay.gate.clear()
    small = await open_pool(dsn, connections=2)
    sender = Sender(small, transport, return_paths, RULES)
    await sender.send_due(number_of(worker))
    await relay.until_here(4)

    held = small.get_size() - small.get_idle_size()

    async with small.acquire(timeout=1), small.acquire(timeout=1):  # both are there for others
        assert held == 0
    relay.gate.set()
    await asyncio.wait_for(sender.drain(), LIMIT)
    small.terminate()
    assert await statuses(pool) == {"Succeeded": 8}


async def test_a_closed_sender_claims_nothing(pool: Pool, sender: Sender, worker: Worker) -> None:
    await place(pool, 1)
    sender.close()

    found = await sender.send_due(number_of(worker))

    assert found is False
    assert await statuses(pool) == {"New": 1}


async def test_closing_ends_the_wait_for_room_lets_what_has_begun_finish_and_puts_back_the_rest(
    pool: Pool, relay: PatientRelay, sender: Sender, worker: Worker
) -> None:
    await place(pool, 20)
    relay.gate.clear()
    waiting = asyncio.create_task(sender.send_due(number_of(worker)))  # claims 16 and begins 8
    await relay.until_here(4)

    sender.close()

    await asyncio.wait_for(waiting, LIMIT)
    relay.gate.set()
    assert await asyncio.wait_for(sender.drain(), LIMIT) == 0
    assert await statuses(pool) == {"New": 12, "Succeeded": 8}
    assert len(relay.envelopes) == 8


async def test_what_does_not_finish_in_time_is_left_in_doubt(
    pool: Pool, relay: PatientRelay, sender: Sender, worker: Worker
) -> None:
    await place(pool, 2)
    relay.gate.clear()
    await sender.send_due(number_of(worker))
    await relay.until_here(2)

    left = await sender.drain(timedelta(0))

    assert left == 2
    assert await statuses(pool) == {"Sending": 2}


async def test_draining_nothing_returns_at_once(sender: Sender) -> None:
    assert await sender.drain(timedelta(0)) == 0


async def test_an_error_of_ours_puts_the_mail_off(pool: Pool, return_paths: ReturnPaths, worker: Worker) -> None:
    await place(pool, 1)
    transport = FakeTransport(RuntimeError("broken"))

    with capture_logs() as logs:
        await send_all(Sender(pool, transport, return_paths, RULES), worker)

    assert "error" in [line["log_level"] for line in logs]
    assert await pool.fetchval("SELECT next_attempt_at > now() + interval '50 seconds' FROM notifications")
    assert await pool.fetchval("SELECT status_detail LIKE 'not sent:%' FROM notifications")


async def test_one_broken_order_is_no_other_orders_matter(
    pool: Pool, return_paths: ReturnPaths, worker: Worker
) -> None:
    await placed_order(pool)
    await pool.execute("UPDATE orders SET subject = NULL")  # cannot be rendered
    await placed_order(pool)
    transport = FakeTransport(Accepted("250 OK"))

    with capture_logs():
        await send_all(Sender(pool, transport, return_paths, RULES), worker)

    assert await statuses(pool) == {"New": 1, "Succeeded": 1}


async def test_each_order_is_sent_with_its_own_content(
    pool: Pool, relay: PatientRelay, sender: Sender, worker: Worker
) -> None:
    for _ in range(3):
        await place(pool, 4)
    await pool.execute("UPDATE orders SET subject = 'Order ' || id")

    await send_all(sender, worker)

    orders = await pool.fetch("SELECT o.id, n.id AS notification FROM orders o JOIN notifications n ON order_id = o.id")
    subjects = {row["notification"]: f"Subject: Order {row['id']}\r\n" for row in orders}
    found = {str(envelope.envid): content for envelope, content in relay.taken}
    assert len(found) == 12
    assert all(subject.encode() in found[str(notification)] for notification, subject in subjects.items())
