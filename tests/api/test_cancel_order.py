"""Cancelling: only in time, as often as wanted, and its refusals have a body."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.api.bodies import ORDERS, place, reasons_in
from tests.factories import placed_order
from tests.processing import process_due
from varsel.database.connect import Pool
from varsel.notifications.liveness import Worker
from varsel.orders.orders_in_hand import OrdersInHand


def in_minutes(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def assert_problem(answer: httpx2.Response, status: int, section: str, title: str) -> None:
    body = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json; charset=utf-8")
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", body.pop("traceId"))
    assert body == {
        "type": f"https://tools.ietf.org/html/rfc9110#section-{section}",
        "title": title,
        "status": status,
    }


async def test_an_order_is_cancelled_in_time(client: httpx2.AsyncClient) -> None:
    order_id = await place(client, requestedSendTime=in_minutes(20).isoformat(), sendersReference="ref")

    answer = await client.put(f"{ORDERS}/{order_id}/cancel")

    status = answer.json()["processingStatus"]
    assert (answer.status_code, status["status"]) == (200, "Cancelled")
    assert status["description"] == "Order processing was stopped due to order being cancelled."
    assert datetime.fromisoformat(status["lastUpdate"]) > datetime.fromisoformat(answer.json()["created"])
    assert answer.json() == (await client.get(f"{ORDERS}/{order_id}/status")).json()
    assert answer.json()["sendersReference"] == "ref"


async def test_cancelling_twice_is_as_good_as_once(client: httpx2.AsyncClient) -> None:
    order_id = await place(client, requestedSendTime=in_minutes(20).isoformat())
    first = await client.put(f"{ORDERS}/{order_id}/cancel")

    second = await client.put(f"{ORDERS}/{order_id}/cancel")

    assert (second.status_code, second.json()) == (200, first.json())


async def test_a_cancelled_order_is_never_generated(
    client: httpx2.AsyncClient, pool: Pool, orders: OrdersInHand, worker: Worker
) -> None:
    order_id = await place(client, requestedSendTime=in_minutes(20).isoformat())
    await client.put(f"{ORDERS}/{order_id}/cancel")
    await pool.execute("UPDATE orders SET requested_send_time = now()")

    assert await process_due(orders, worker) == 0

    summary = (await client.get(f"{ORDERS}/{order_id}/notifications/email")).json()
    assert (summary["generated"], summary["notifications"]) == (0, [])


@pytest.mark.parametrize(("minutes", "is_in_time"), [(-1, False), (0, False), (4.9, False), (5.1, True)])
async def test_an_order_is_cancelled_until_five_minutes_before_its_send_time(
    client: httpx2.AsyncClient, pool: Pool, minutes: float, is_in_time: bool
) -> None:
    order_id = await place(client, requestedSendTime=in_minutes(60).isoformat())
    await pool.execute("UPDATE orders SET requested_send_time = $1", in_minutes(minutes))

    answer = await client.put(f"{ORDERS}/{order_id}/cancel")

    if is_in_time:
        assert answer.json()["processingStatus"]["status"] == "Cancelled"
    else:
        assert_problem(answer, 409, "15.5.10", "Conflict")


@pytest.mark.parametrize("status", ["Processing", "Processed", "SendConditionNotMet"])
async def test_an_order_that_waits_no_more_is_not_cancelled(
    client: httpx2.AsyncClient, pool: Pool, status: str
) -> None:
    order_id = await place(client, requestedSendTime=in_minutes(60).isoformat())
    await pool.execute("UPDATE orders SET status = $1", status)

    answer = await client.put(f"{ORDERS}/{order_id}/cancel")

    assert_problem(answer, 409, "15.5.10", "Conflict")
    assert await pool.fetchval("SELECT status FROM orders") == status


async def test_an_order_that_was_due_at_once_is_not_cancelled(client: httpx2.AsyncClient) -> None:
    order_id = await place(client)

    answer = await client.put(f"{ORDERS}/{order_id}/cancel")

    assert_problem(answer, 409, "15.5.10", "Conflict")


async def test_an_order_that_never_was_is_not_found(client: httpx2.AsyncClient) -> None:
    answer = await client.put(f"{ORDERS}/{uuid4()}/cancel")

    assert_problem(answer, 404, "15.5.5", "Not Found")


@pytest.mark.parametrize("owner", ["nav", "TTD"])
async def test_somebody_elses_order_is_not_found_and_not_cancelled(
    client: httpx2.AsyncClient, pool: Pool, owner: str
) -> None:
    order_id: UUID = await placed_order(pool, owner=owner, requested_send_time=in_minutes(60))

    answer = await client.put(f"{ORDERS}/{order_id}/cancel")

    assert_problem(answer, 404, "15.5.5", "Not Found")
    assert await pool.fetchval("SELECT status FROM orders") == "Registered"


async def test_what_is_no_id_is_not_cancelled(client: httpx2.AsyncClient) -> None:
    answer = await client.put(f"{ORDERS}/1337;1=1/cancel")

    assert reasons_in(answer) == {"id": ["The value '1337;1=1' is not valid."]}
