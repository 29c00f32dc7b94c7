"""Placing an order: what is answered, what is stored, and what happens at once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.api.bodies import KARI, ORDERS, email_body, order_body, place, reasons_in

LATER = "2090-01-02T03:04:05Z"

BOTH = pytest.mark.parametrize(
    ("path", "body"), [(f"{ORDERS}/email", email_body()), (ORDERS, order_body())], ids=["email", "any channel"]
)


async def stored(client: httpx2.AsyncClient, order_id: str) -> dict[str, Any]:
    order: dict[str, Any] = (await client.get(f"{ORDERS}/{order_id}")).json()
    return order


async def generated(client: httpx2.AsyncClient, order_id: str) -> int:
    count: int = (await client.get(f"{ORDERS}/{order_id}/notifications/email")).json()["generated"]
    return count


@BOTH
async def test_an_order_is_answered_with_its_id_and_where_it_is_read(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    answer = await client.post(path, json=body)

    order_id = answer.json()["orderId"]
    assert answer.status_code == 202
    assert answer.json() == {"orderId": str(UUID(order_id))}
    assert answer.headers["Location"] == f"http://varsel.test{ORDERS}/{order_id}"
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


async def test_an_order_of_any_channel_is_read_as_it_was_placed(client: httpx2.AsyncClient) -> None:
    told: dict[str, Any] = {
        "sendersReference": "ref-1",
        "requestedSendTime": LATER,
        "notificationChannel": "Email",
        "ignoreReservation": True,
        "resourceId": "urn:altinn:resource:skjema",
        "resourceAction": "read",
        "conditionEndpoint": "https://vilkar.example.no:8443/sjekk?a=b&c=æ",
        "recipients": [KARI, {"organizationNumber": "991825827"}, {"nationalIdentityNumber": "01018045678"}],
        "emailTemplate": {
            "fromAddress": "skjema@ttd.example",
            "subject": "Grüße fra Ås",
            "body": "<p>Hei’ & «velkommen»</p>",
            "contentType": "Html",
        },
    }

    answer = await client.post(ORDERS, json=told)

    order = await stored(client, answer.json()["orderId"])
    url = answer.headers["Location"]
    assert order.pop("links") == {"self": url, "status": f"{url}/status"}
    assert order.pop("id") == answer.json()["orderId"]
    assert order.pop("created").endswith("Z")
    assert order == {"creator": "ttd", **told}


async def test_an_email_order_is_read_as_it_was_placed(client: httpx2.AsyncClient) -> None:
    order_id = await place(client, sendersReference="ref-2", contentType="Html", requestedSendTime=LATER)

    order = await stored(client, order_id)

    assert (order["sendersReference"], order["notificationChannel"]) == ("ref-2", "Email")
    assert order["recipients"] == [KARI]
    assert order["emailTemplate"]["contentType"] == "Html"


@pytest.mark.parametrize("template", [{}, {"fromAddress": ""}])
async def test_what_an_order_leaves_out_is_defaulted(client: httpx2.AsyncClient, template: dict[str, str]) -> None:
    body = order_body()
    body["emailTemplate"] |= template

    answer = await client.post(ORDERS, json=body)

    shown = (await stored(client, answer.json()["orderId"]))["emailTemplate"]
    assert (shown["fromAddress"], shown["contentType"]) == ("noreply@varsel.test", "Plain")


async def test_the_sender_of_an_email_order_cannot_be_chosen(client: httpx2.AsyncClient) -> None:
    order_id = await place(client, fromAddress="somebody@else.example")

    assert (await stored(client, order_id))["emailTemplate"]["fromAddress"] == "noreply@varsel.test"


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("en\r\nto", "en to"),
        ("en\nto", "en to"),
        ("en\rto", "en to"),
        ("en\n\nto", "en  to"),
        ("en\n\rto", "en  to"),
        ("en\r\n\r\nto\n", "en  to "),
        ("en\u2028to\u0085tre", "en to tre"),
        (" en  to ", " en  to "),
    ],
)
async def test_each_line_break_in_a_subject_becomes_one_space(
    client: httpx2.AsyncClient, subject: str, shown: str
) -> None:
    order_id = await place(client, subject=subject)

    assert (await stored(client, order_id))["emailTemplate"]["subject"] == shown


async def test_a_body_is_kept_to_the_character(client: httpx2.AsyncClient) -> None:
    text = " \r\nen\n\n\tto\r\r\ntre \u2028 🇳🇴 \x7f\n"

    order_id = await place(client, body=text)

    assert (await stored(client, order_id))["emailTemplate"]["body"] == text


async def test_an_order_needs_no_senders_reference(client: httpx2.AsyncClient) -> None:
    order_id = await place(client)

    assert "sendersReference" not in await stored(client, order_id)


@pytest.mark.parametrize("address", [" kari@sandbox.test ", "Kari.Nordmann@SANDBOX.test", "pål@sandbox.test"])
async def test_an_address_is_stored_exactly_as_it_was_given(client: httpx2.AsyncClient, address: str) -> None:
    order_id = await place(client, recipients=[{"emailAddress": address}])

    assert (await stored(client, order_id))["recipients"] == [{"emailAddress": address}]


async def test_the_same_order_twice_is_two_orders(client: httpx2.AsyncClient) -> None:
    first = await place(client, sendersReference="twice")

    second = await place(client, sendersReference="twice")

    assert first != second
    assert (await client.get(ORDERS, params={"sendersReference": "twice"})).json()["count"] == 2


@BOTH
async def test_an_order_that_is_due_is_generated_at_once_and_the_worker_is_told(
    client: httpx2.AsyncClient, orders_placed: list[None], path: str, body: dict[str, Any]
) -> None:
    twice = body | {"recipients": [KARI, KARI]}

    answer = await client.post(path, json=twice)

    assert await generated(client, answer.json()["orderId"]) == 2
    assert len(orders_placed) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"requestedSendTime": LATER},
        {"conditionEndpoint": "https://vilkar.example.no"},
        {"recipients": [KARI, {"organizationNumber": "991825827"}]},
    ],
    ids=["for later", "on a condition", "by identity"],
)
async def test_an_order_that_must_wait_is_not_generated_yet(
    client: httpx2.AsyncClient, changes: dict[str, Any]
) -> None:
    order_id = await place(client, **changes)

    assert await generated(client, order_id) == 0
    status = (await client.get(f"{ORDERS}/{order_id}/status")).json()
    assert status["processingStatus"]["status"] == "Registered"


async def test_a_refused_order_leaves_nothing_behind(client: httpx2.AsyncClient, orders_placed: list[None]) -> None:
    recipients = [KARI, {"emailAddress": "no address"}]

    answer = await client.post(f"{ORDERS}/email", json=email_body(sendersReference="gone", recipients=recipients))

    assert answer.status_code == 400
    assert (await client.get(ORDERS, params={"sendersReference": "gone"})).json() == {"count": 0, "orders": []}
    assert orders_placed == []


@pytest.mark.parametrize(
    ("path", "body", "kept"),
    [(f"{ORDERS}/email", email_body(), {}), (ORDERS, order_body(), {"mobileNumber": "+4790000000"})],
    ids=["email", "any channel"],
)
async def test_an_email_order_drops_the_mobile_number(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any], kept: dict[str, str]
) -> None:
    reachable_twice = KARI | {"mobileNumber": "+4790000000"}

    answer = await client.post(path, json=body | {"recipients": [reachable_twice]})

    assert (await stored(client, answer.json()["orderId"]))["recipients"] == [KARI | kept]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2090-01-02T03:04:05Z", "2090-01-02T03:04:05Z"),
        ("2090-01-02T03:04:05.1234567Z", "2090-01-02T03:04:05.123456Z"),
        ("2090-01-02T03:04:05.1200000Z", "2090-01-02T03:04:05.12Z"),
        ("2090-01-02T03:04:05.5Z", "2090-01-02T03:04:05.5Z"),
        ("2090-01-02T03:04:05.123456789012Z", "2090-01-02T03:04:05.123456Z"),
        ("2090-01-02T03:04Z", "2090-01-02T03:04:00Z"),
        ("2090-01-02T03:04:05+02:00", "2090-01-02T01:04:05Z"),
        ("2090-01-01T23:04:05.1234567-05:30", "2090-01-02T04:34:05.123456Z"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
async def test_a_send_time_is_read_to_the_microsecond_and_shown_in_utc(
    client: httpx2.AsyncClient, given: str, shown: str
) -> None:
    order_id = await place(client, requestedSendTime=given)

    assert (await stored(client, order_id))["requestedSendTime"] == shown


@pytest.mark.parametrize(("ago", "is_taken"), [(290, True), (310, False)])
async def test_a_send_time_may_be_five_minutes_past(client: httpx2.AsyncClient, ago: int, is_taken: bool) -> None:
    send_time = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()

    answer = await client.post(f"{ORDERS}/email", json=email_body(requestedSendTime=send_time))

    if is_taken:
        assert await generated(client, answer.json()["orderId"]) == 1
    else:
        assert list(reasons_in(answer)) == ["RequestedSendTime"]


async def test_what_a_gateway_adds_to_a_request_changes_nothing(client: httpx2.AsyncClient) -> None:
    headers = {"Ocp-Apim-Subscription-Key": "k", "ApiKey": "k", "Accept": "text/html"}

    answer = await client.post(f"{ORDERS}/email?subscription-key=k", json=email_body(), headers=headers)

    assert answer.status_code == 202
    assert "recipientLookup" not in answer.json()


@pytest.mark.parametrize(
    ("recipients", "lookup"),
    [
        ([{"emailAddress": "kari@example.no"}], None),
        (
            [{"organizationNumber": "991825827"}, {"nationalIdentityNumber": "01018045678"}],
            {"status": "Failed", "isReserved": [], "missingContact": ["991825827", "01018045678"]},
        ),
        (
            [{"organizationNumber": "991825827"}, {"organizationNumber": "991825827"}],
            {"status": "PartialSuccess", "isReserved": [], "missingContact": ["991825827"]},
        ),
    ],
)
async def test_who_is_given_by_identity_is_told_to_have_no_contact(
    client: httpx2.AsyncClient, recipients: list[dict[str, str]], lookup: dict[str, object] | None
) -> None:
    answer = await client.post(f"{ORDERS}/email", json=email_body(recipients=recipients))

    assert answer.status_code == 202
    assert answer.json().get("recipientLookup") == lookup
