"""Ask the API, as a user would, until nothing is open any more; and once more for the final account."""

import time
from collections.abc import Sequence

import httpx2

from bench.chaos_around import Around
from bench.chaos_check import OPEN, WITHHELD, expected_status
from bench.chaos_records import AskedOrder, Books, Shown
from varsel.orders.send_condition import Condition

ORDERS = "/notifications/api/v1/orders"
LOOK = 0.25  # seconds between two looks at the orders that are still open


def read_all(owner: httpx2.Client, asked: Sequence[AskedOrder]) -> Shown:
    """Everything that the API shows of what the clients asked for."""
    orders = {order.reference: _ids(owner, order.reference) for order in asked}
    ids = [order_id for found in orders.values() for order_id in found]
    return Shown(
        orders,
        {order_id: _notifications(owner, order_id) for order_id in ids},
        {order_id: _status(owner, order_id) for order_id in ids},
    )


def settle(owner: httpx2.Client, asked: Sequence[AskedOrder], around: Around, *, limit: float) -> str | None:
    """Wait until all is as it should be, at most `limit` seconds; what was last to be so, None where not all is."""
    deadline = time.monotonic() + limit
    unsettled = {order.reference: order for order in asked}
    last = "nothing had to be waited for"
    while time.monotonic() < deadline:
        waiting, seen = around.reports.waiting, around.books_now()
        for reference, order in list(unsettled.items()):
            what = _unsettled(owner, order, seen)
            if what is None:
                del unsettled[reference]
            else:
                last = what
        if not unsettled and not waiting:
            return last
        if not unsettled:
            last = f"the reports on {waiting} mails"
        time.sleep(LOOK)
    return None


def _unsettled(owner: httpx2.Client, order: AskedOrder, books: Books) -> str | None:
    """The first thing about the order that is not as it should be in the end; None where there is none."""
    for order_id in _ids(owner, order.reference):
        if order.condition is not None and (status := _status(owner, order_id)) == WITHHELD:
            continue  # whether it may be is for the check to say
        if order.condition is Condition.NOT_MET:
            return f"{order.reference} was {status}, not {WITHHELD}"
        notifications = _notifications(owner, order_id)
        if len(notifications) < len(order.recipients):
            return f"{order.reference} had {len(notifications)} of {len(order.recipients)} notifications"
        for address, status in notifications:
            expected = expected_status(books.answered.get(address, []))
            if status in OPEN or status != expected:
                return f"{address} was {status}, not {expected}"
    return None


def _ids(owner: httpx2.Client, reference: str) -> list[str]:
    answer = owner.get(ORDERS, params={"sendersReference": reference}).raise_for_status()
    return [order["id"] for order in answer.json()["orders"]]


def _status(owner: httpx2.Client, order_id: str) -> str:
    answer = owner.get(f"{ORDERS}/{order_id}/status").raise_for_status()
    status: str = answer.json()["processingStatus"]["status"]
    return status


def _notifications(owner: httpx2.Client, order_id: str) -> list[tuple[str, str]]:
    answer = owner.get(f"{ORDERS}/{order_id}/notifications/email").raise_for_status()
    return [(n["recipient"]["emailAddress"], n["sendStatus"]["status"]) for n in answer.json()["notifications"]]
