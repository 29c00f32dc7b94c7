"""What processes due orders in tests, and the endpoint of a condition that does as a test says."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import asyncpg
import httpx2

from tests.auth.issuer_server import IssuerServer, issuer_server
from tests.factories import placed_order
from varsel.contact_register.local import LocalRegister
from varsel.contact_register.register import Contact, ContactRegister, Resource
from varsel.database.connect import Pool
from varsel.errors import RegisterUnavailable
from varsel.notifications.liveness import Worker
from varsel.orders.order import OrderStatus, Recipient
from varsel.orders.orders_in_hand import OrdersInHand
from varsel.orders.process import ConditionFallback, OrderProcess
from varsel.orders.send_condition import ConditionRules, SendConditions
from varsel.outgoing.credentials import Credentials

CONDITION_HOST = "vilkar.etat.no"
CONDITION = f"https://{CONDITION_HOST}/sjekk"
RETRY = timedelta(seconds=60)

RECIPIENTS = [Recipient(email_address=f"kari+{number}@sandbox.test") for number in range(5)]


def orders_in_hand(
    pool: Pool,
    *,
    register: ContactRegister | None = None,
    condition_hosts: Mapping[str, str] | None = None,
    then: Literal["send", "withhold"] = "send",
) -> OrdersInHand:
    """Those of a worker with the local register, or another; a condition is asked only where its host is mapped."""
    client = httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport())
    conditions = SendConditions(
        ConditionRules(timedelta(seconds=5), condition_hosts or {}), Credentials(), guarded=client, trusted=client
    )
    process = OrderProcess(pool, register or LocalRegister(pool), conditions, ConditionFallback(RETRY, then))
    return OrdersInHand(pool, process, lambda: None)


async def process_due(orders: OrdersInHand, worker: Worker) -> int:
    """Process until nothing is due; returns how many rounds found something."""
    assert worker.number is not None
    rounds = 0
    while await orders.process_due(worker.number):
        await orders.until_idle()
        rounds += 1
    return rounds


@asynccontextmanager
async def condition_server(answer: object = None) -> AsyncIterator[IssuerServer]:
    """The server of CONDITION_HOST, which says this; None: it has no such page."""
    async with issuer_server() as server:
        if answer is not None:
            server.documents["/sjekk"] = answer
        yield server


class DownRegister:
    """A contact register that does not answer until it is told to: whoever asks too early is refused."""

    def __init__(self) -> None:
        self.known: dict[str, Contact] | None = None
        self.asked: list[list[str]] = []

    async def contacts(self, identities: Any) -> dict[str, Contact]:
        self.asked.append(list(identities))
        if self.known is None:
            raise RegisterUnavailable("none within 10 s")
        return self.known

    async def registered_by_users(self, organizations: Any, resource: Resource) -> dict[str, list[str]]:
        return {}

    async def names(self, identities: Any) -> dict[str, str]:
        return {}


class HeldRegister(DownRegister):
    """A register that takes its time for as long as a test lasts."""

    async def contacts(self, identities: Any) -> dict[str, Contact]:
        self.asked.append(list(identities))
        await asyncio.Event().wait()
        return {}


async def due_order(pool: Pool, *recipients: Recipient, ago: timedelta = timedelta(0), **changes: Any) -> UUID:
    """An order that was placed for later, and whose time has come."""
    later = datetime.now(UTC) + timedelta(days=1)
    order_id = await placed_order(pool, recipients or RECIPIENTS, requested_send_time=later, **changes)
    await pool.execute("UPDATE orders SET requested_send_time = now() - $2::interval WHERE id = $1", order_id, ago)
    return order_id


async def order_row(pool: Pool, order_id: UUID) -> asyncpg.Record:
    row = await pool.fetchrow("SELECT *, retry_at - now() AS pause FROM orders WHERE id = $1", order_id)
    assert row is not None
    return row


async def status_of(pool: Pool, order_id: UUID) -> OrderStatus:
    return OrderStatus((await order_row(pool, order_id))["status"])


async def generated(pool: Pool) -> list[asyncpg.Record]:
    return await pool.fetch("SELECT * FROM notifications ORDER BY order_id, id")


async def let_retry_come(pool: Pool) -> None:
    await pool.execute("UPDATE orders SET retry_at = now() WHERE retry_at IS NOT NULL")
