"""What processes due orders in tests, and the endpoint of a condition that does as a test says."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Literal

import httpx2

from tests.auth.issuer_server import IssuerServer, issuer_server
from varsel.contact_register.local import LocalRegister
from varsel.contact_register.register import ContactRegister
from varsel.database.connect import Pool
from varsel.notifications.liveness import Worker
from varsel.orders.orders_in_hand import OrdersInHand
from varsel.orders.process import ConditionFallback, OrderProcess
from varsel.orders.send_condition import ConditionRules, SendConditions
from varsel.outgoing.credentials import Credentials

CONDITION_HOST = "vilkar.etat.no"
CONDITION = f"https://{CONDITION_HOST}/sjekk"
RETRY = timedelta(seconds=60)


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
