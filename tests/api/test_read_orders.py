"""Reading orders: their shape, who may see them, and how they are asked for."""

import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.api.bodies import KARI, ORDERS, UNKNOWN, order_body, place, reasons_in
from tests.factories import notification_in, placed_order
from varsel.api.wire import timestamp
from varsel.database.connect import Pool
from varsel.notifications.send_status import SendStatus

LATER = "2090-01-02T03:04:05Z"
FIRST_FACTS = ["id", "requestedSendTime", "creator", "created", "notificationChannel"]


async def get_status(client: httpx2.AsyncClient, order_id: object) -> dict[str, Any]:
    answer = await client.get(f"{ORDERS}/{order_id}/status")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


async def test_an_order_leaves_out_what_it_does_not_have(client: httpx2.AsyncClient) -> None:
    answer = await client.get(f"{ORDERS}/{await place(client)}")

    order = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert list(order) == [*FIRST_FACTS, "recipients", "emailTemplate", "links"]
    assert order["recipients"] == [KARI]


async def test_an_order_shows_what_is_false_or_empty(client: httpx2.AsyncClient) -> None:
    given = {"ignoreReservation": False, "sendersReference": "", "resourceId": "", "resourceAction": ""}

    answer = await client.post(ORDERS, json=order_body(**given))

    order = (await client.get(answer.headers["Location"])).json()
    assert {name: order[name] for name in given} == given


async def test_text_is_written_as_it_is(client: httpx2.AsyncClient) -> None:
    order_id = await place(client, subject="Å ’<b>&'+\"")

    answer = await client.get(f"{ORDERS}/{order_id}")

    assert '"subject":"Å ’<b>&\'+\\""' in answer.content.decode("utf-8")


async def test_an_order_that_waits_has_a_status_but_no_sums(client: httpx2.AsyncClient) -> None:
    status = await get_status(client, await place(client, requestedSendTime=LATER, sendersReference="ref"))

    assert list(status) == [FIRST_FACTS[0], "sendersReference", *FIRST_FACTS[1:], "processingStatus"]
    assert status["processingStatus"] == {
        "status": "Registered",
        "description": "Order has been registered and is awaiting requested send time before processing.",
        "lastUpdate": status["created"],
    }


async def test_an_order_that_is_being_sent_shows_as_completed(client: httpx2.AsyncClient) -> None:
    order_id = await place(client, recipients=[KARI, KARI])

    status = await get_status(client, order_id)

    link = {"self": f"http://varsel.test{ORDERS}/{order_id}/notifications/email"}
    assert status["notificationsStatusSummary"] == {"email": {"links": link, "generated": 2, "succeeded": 0}}
    assert (status["processingStatus"]["status"], status["processingStatus"]["description"]) == (
        "Completed",
        "Order processing is done. Notifications have been successfully generated.",
    )


@pytest.mark.parametrize("send_status", list(SendStatus))
async def test_an_order_counts_what_succeeded_and_is_completed_by_what_is_final(
    client: httpx2.AsyncClient, pool: Pool, send_status: SendStatus
) -> None:
    order_id, _ = await notification_in(pool, send_status)

    status = await get_status(client, order_id)

    is_open = send_status in ("New", "Sending", "Succeeded")
    assert status["processingStatus"]["description"] == (
        "Order processing is done. Notifications have been successfully generated."
        if is_open
        else "Order processing is completed. All notifications have a final status."
    )
    assert status["processingStatus"]["status"] == "Completed"
    assert status["notificationsStatusSummary"]["email"]["succeeded"] == (send_status in ("Succeeded", "Delivered"))


@pytest.mark.parametrize(
    ("stored", "shown", "description"),
    [
        ("Processing", "Processing", "Order processing is ongoing. Notifications are being generated."),
        (
            "SendConditionNotMet",
            "SendConditionNotMet",
            "Order processing was stopped due to send condition not being met.",
        ),
        ("Cancelled", "Cancelled", "Order processing was stopped due to order being cancelled."),
    ],
)
async def test_every_order_status_has_its_sentence(
    client: httpx2.AsyncClient, pool: Pool, stored: str, shown: str, description: str
) -> None:
    order_id = await place(client, requestedSendTime=LATER)
    await pool.execute("UPDATE orders SET status = $1", stored)

    status = (await get_status(client, order_id))["processingStatus"]

    assert (status["status"], status["description"]) == (shown, description)


async def test_a_senders_reference_finds_every_order_that_carries_it(client: httpx2.AsyncClient) -> None:
    first, second = [await place(client, sendersReference="år 2026/1 & mer") for _ in range(2)]
    await place(client, sendersReference="År 2026/1 & mer")

    answer = await client.get(ORDERS, params={"sendersReference": "år 2026/1 & mer"})

    assert answer.json()["count"] == 2
    assert [order["id"] for order in answer.json()["orders"]] == [first, second]
    assert answer.json()["orders"][0] == (await client.get(f"{ORDERS}/{first}")).json()


async def test_a_senders_reference_may_be_as_long_as_its_owner_likes(client: httpx2.AsyncClient) -> None:
    reference = random.Random(1).randbytes(10_000).hex()

    order_id = await place(client, sendersReference=reference)

    answer = await client.get(ORDERS, params={"sendersReference": reference})
    assert [order["id"] for order in answer.json()["orders"]] == [order_id]


@pytest.mark.parametrize("reference", ["unknown", "100%", "\0", "'"])
async def test_an_unknown_senders_reference_finds_nothing(client: httpx2.AsyncClient, reference: str) -> None:
    answer = await client.get(ORDERS, params={"sendersReference": reference})

    assert (answer.status_code, answer.json()) == (200, {"count": 0, "orders": []})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "A value for the 'sendersReference' parameter or property was not provided."),
        ({"reference": "x"}, "A value for the 'sendersReference' parameter or property was not provided."),
        ({"sendersReference": ""}, "The sendersReference field is required."),
        ({"sendersReference": " "}, "The sendersReference field is required."),
    ],
)
async def test_orders_are_not_listed_without_a_senders_reference(
    client: httpx2.AsyncClient, params: dict[str, str], message: str
) -> None:
    answer = await client.get(ORDERS, params=params)

    assert reasons_in(answer) == {"sendersReference": [message]}


async def test_somebody_elses_orders_are_not_listed(client: httpx2.AsyncClient, pool: Pool) -> None:
    for owner in ("nav", "TTD"):
        await placed_order(pool, owner=owner, senders_reference="shared")

    answer = await client.get(ORDERS, params={"sendersReference": "shared"})

    assert answer.json()["count"] == 0


@pytest.mark.parametrize("end", ["", "/status"])
@pytest.mark.parametrize("owner", ["nav", "TTD", "ttd "])
async def test_somebody_elses_order_is_as_unknown_as_none(
    client: httpx2.AsyncClient, pool: Pool, owner: str, end: str
) -> None:
    for order_id in (await placed_order(pool, owner=owner), uuid4(), "0" * 32):
        answer = await client.get(f"{ORDERS}/{order_id}{end}")

        assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize("end", ["", "/status", "/notifications/email"])
@pytest.mark.parametrize("form", ["{}", "{{{}}}", "({})"])
async def test_an_order_is_named_in_any_form_of_its_id(client: httpx2.AsyncClient, form: str, end: str) -> None:
    order_id = await place(client)

    for written in (form.format(order_id), form.format(order_id.upper())):
        answer = await client.get(f"{ORDERS}/{written}{end}")

        assert answer.status_code == 200
        assert order_id in answer.text


async def test_an_order_is_named_by_its_id_without_hyphens(client: httpx2.AsyncClient) -> None:
    order_id = await place(client)

    answer = await client.get(f"{ORDERS}/{order_id.replace('-', '').upper()}")

    assert answer.json()["id"] == order_id


@pytest.mark.parametrize(
    "text",
    [
        "1337;1=1",
        "email",
        "sms",
        "1",
        "-",
        "{}",
        f"{{{UNKNOWN}",
        f"{{{UNKNOWN})",
        f"({UNKNOWN}}}",
        f"{{{UNKNOWN.replace('-', '')}}}",
        f"urn:uuid:{UNKNOWN}",
        UNKNOWN[:-1],
        f"{UNKNOWN}0",
        UNKNOWN.replace("a", "g"),
        UNKNOWN.replace("a", "å"),
    ],
)
async def test_what_is_no_id_is_refused_by_name(client: httpx2.AsyncClient, text: str) -> None:
    for end in ("", "/status", "/notifications/email", "/notifications/sms"):
        answer = await client.get(f"{ORDERS}/{text}{end}")

        assert reasons_in(answer) == {"id": [f"The value '{text}' is not valid."]}, end


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 123456, UTC), "2026-01-02T03:04:05.123456Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 120000, UTC), "2026-01-02T03:04:05.12Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 1, UTC), "2026-01-02T03:04:05.000001Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 0, UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 0, 0, UTC), "2026-01-02T03:04:00Z"),
        (datetime(2026, 10, 20, 0, 0, 0, 0, UTC), "2026-10-20T00:00:00Z"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2026-01-01T21:34:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_time_is_written_in_utc_without_idle_zeros(moment: datetime, text: str) -> None:
    assert timestamp(moment) == text
