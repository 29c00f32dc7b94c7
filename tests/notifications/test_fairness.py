"""Nobody waits behind somebody else's large order, nor behind one of their own: counted in mails, not in time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from tests.factories import placed_order
from tests.notifications.sending import LIMIT, PatientRelay, number_of
from varsel.database.connect import Pool
from varsel.notifications.liveness import Worker
from varsel.notifications.send import Sender
from varsel.notifications.send_status import claim_notifications
from varsel.orders.generate import BULK
from varsel.orders.order import Recipient
from varsel.sandbox.handler import Answer, Envelope
from varsel.sandbox.smtp_server import SmtpServer

LARGE = 2_000  # recipients
FEW_DOZEN = 48  # three times what the sender of these tests has in hand
BY_THEN = 200  # mails of the large order that the relay has seen when the other one is placed
SINGLE = "single@sandbox.test"
MANY = 20


class SlowRelay(PatientRelay):
    """Once it is slow, answers one mail after the other, each after many statements have gone to the database.

    So what counts is who is claimed, and not how quick the relay is beside the few statements of a claim.
    """

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self.is_slow = False
        self._pool = pool
        self._one_at_a_time = asyncio.Lock()

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        answer = await super().on_message(envelope, content)
        async with self._one_at_a_time:
            for _ in range(MANY if self.is_slow else 0):
                await self._pool.execute("SELECT")
        return answer


@pytest.fixture
async def relay(pool: Pool) -> AsyncIterator[SlowRelay]:
    script = SlowRelay(pool)
    async with SmtpServer(script) as server:
        script.port = server.port
        yield script


async def place(pool: Pool, owner: str, recipients: int) -> UUID:
    addresses = [Recipient(email_address=f"{owner}+{n}@sandbox.test") for n in range(recipients)]
    return await placed_order(pool, addresses, owner=owner)


@asynccontextmanager
async def sending(sender: Sender, worker: Worker) -> AsyncIterator[None]:
    """What is due is sent, round after round."""

    async def send_rounds() -> None:
        while await sender.send_due(number_of(worker)):
            pass

    rounds = asyncio.create_task(send_rounds())
    yield
    sender.close()
    async with asyncio.timeout(LIMIT):
        await rounds
        await sender.drain()


def mails_before(relay: PatientRelay, address: str, *, since: int) -> int:
    """How many mails the relay has seen since, before the one to this address; all of them where it saw none."""
    seen = [envelope.recipients[0].address for envelope in relay.envelopes[since:]]
    return seen.index(address) if address in seen else len(seen)


@pytest.mark.parametrize("owner", ["another", "bulk"], ids=["of another owner", "of the same owner"])
async def test_a_single_mail_is_handed_over_soon_beside_a_large_order(
    pool: Pool, relay: SlowRelay, sender: Sender, worker: Worker, owner: str
) -> None:
    await place(pool, "bulk", LARGE)
    async with sending(sender, worker):
        await relay.until_here(BY_THEN)
        relay.gate.clear()  # so that the order is placed at a moment that is known
        await placed_order(pool, [Recipient(email_address=SINGLE)], owner=owner)
        since = len(relay.envelopes)

        relay.is_slow = True
        relay.gate.set()
        await relay.until_here(since + FEW_DOZEN)
        relay.is_slow = False

    assert mails_before(relay, SINGLE, since=since) < FEW_DOZEN
    assert len(relay.envelopes) < LARGE  # the large order was still being sent


async def claimed_of(pool: Pool, worker: Worker, limit: int) -> Counter[str]:
    """How many mails of each order a round claims."""
    claims = await claim_notifications(pool, number_of(worker), limit)
    return Counter(str(claim.order_id) for claim in claims)


async def test_the_claims_of_a_round_are_shared_evenly(pool: Pool, worker: Worker) -> None:
    queues = [("first", LARGE), ("second", 50), ("second", BULK + 1)]  # a large order waits in one of its own
    orders = [str(await place(pool, owner, recipients)) for owner, recipients in queues]

    rounds = [await claimed_of(pool, worker, 30) for _ in range(2)]

    assert rounds == [dict.fromkeys(orders, 10)] * 2


async def test_an_order_is_large_from_one_recipient_beyond_the_limit(pool: Pool, worker: Worker) -> None:
    small, large = [str(await place(pool, "bulk", recipients)) for recipients in (BULK, BULK + 1)]

    claimed = await claimed_of(pool, worker, 30)

    assert claimed == {small: 15, large: 15}


async def test_a_queue_of_what_is_not_due_yet_delays_nobody(pool: Pool, worker: Worker) -> None:
    await place(pool, "later", 50)
    await pool.execute("UPDATE notifications SET next_attempt_at = now() + interval '1 hour'")
    order = str(await place(pool, "now", 50))

    rounds = [await claimed_of(pool, worker, 10) for _ in range(2)]

    assert all(0 < claimed[order] == claimed.total() for claimed in rounds)


async def test_with_more_queues_than_room_every_queue_gets_its_turn(pool: Pool, worker: Worker) -> None:
    large = str(await place(pool, "bulk", LARGE))
    singles = {str(await place(pool, f"owner{n}", 1)) for n in range(20)}

    # Turns are drawn by lot, 5 of at most 21: that one is not drawn in 100 rounds happens once in 10^11 runs.
    rounds = [await claimed_of(pool, worker, 5) for _ in range(100)]

    assert singles <= set().union(*rounds)
    assert large in set().union(*rounds[:50])
    assert max(claimed.total() for claimed in rounds) <= 5
