"""Requests as real clients write them, each another way than the contract's own examples."""

import json
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.api.bodies import KARI, ORDERS, email_body, order_body, place, reasons_in

EMAIL = f"{ORDERS}/email"


async def read_back(client: httpx2.AsyncClient, answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    order: dict[str, Any] = (await client.get(answer.headers["Location"])).json()
    return order


@pytest.mark.parametrize(
    "body",
    [
        {"Subject": "Hei", "Body": "Hei", "Recipients": [{"EmailAddress": "kari@sandbox.test"}]},
        {"SUBJECT": "Hei", "BODY": "Hei", "RECIPIENTS": [{"EMAILADDRESS": "kari@sandbox.test"}]},
        {"subject": "Hei", "body": "Hei", "recipients": [{"emailaddress": "kari@sandbox.test"}]},
    ],
)
async def test_member_names_are_read_in_any_case(client: httpx2.AsyncClient, body: dict[str, Any]) -> None:
    answer = await client.post(EMAIL, json=body)

    order = await read_back(client, answer)
    assert order["recipients"] == [KARI]
    assert (order["emailTemplate"]["subject"], order["emailTemplate"]["body"]) == ("Hei", "Hei")


async def test_the_members_of_a_template_are_read_in_any_case(client: httpx2.AsyncClient) -> None:
    template = {"FROMADDRESS": "post@ttd.example", "Subject": "Hei", "bODY": "Hei", "ContentType": "html"}
    body = {"NOTIFICATIONCHANNEL": "email", "EmailTemplate": template, "Recipients": [KARI]}

    answer = await client.post(ORDERS, json=body)

    shown = (await read_back(client, answer))["emailTemplate"]
    assert shown == {"fromAddress": "post@ttd.example", "subject": "Hei", "body": "Hei", "contentType": "Html"}


@pytest.mark.parametrize("channel", ["Email", "email", "EMAIL", "eMail", 0, "0"])
async def test_a_channel_is_read_by_name_or_number(client: httpx2.AsyncClient, channel: object) -> None:
    answer = await client.post(ORDERS, json=order_body(notificationChannel=channel))

    assert (await read_back(client, answer))["notificationChannel"] == "Email"


@pytest.mark.parametrize(
    "channel", ["sms", 1, "1", "emailpreferred", 2, "2", "SMSPREFERRED", 3, "3", "emailAndSms", 4, "4"]
)
async def test_the_other_channels_are_understood_before_they_are_refused(
    client: httpx2.AsyncClient, channel: object
) -> None:
    answer = await client.post(ORDERS, json=order_body(notificationChannel=channel))

    assert list(reasons_in(answer)) == ["NotificationChannel"]


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        ("Plain", "Plain"),
        ("plain", "Plain"),
        (0, "Plain"),
        ("0", "Plain"),
        (None, "Plain"),
        ("Html", "Html"),
        ("HTML", "Html"),
        ("html", "Html"),
        (1, "Html"),
        ("1", "Html"),
    ],
)
async def test_a_content_type_is_read_by_name_or_number(
    client: httpx2.AsyncClient, content_type: object, shown: str
) -> None:
    answer = await client.post(EMAIL, json=email_body(contentType=content_type))

    assert (await read_back(client, answer))["emailTemplate"]["contentType"] == shown


@pytest.mark.parametrize("content_type", [2, -1, "2", "-1", True, 1.0, "", "Htm", ["Html"], {"Html": 1}, 10**30])
async def test_what_names_no_content_type_is_an_error_where_it_stands(
    client: httpx2.AsyncClient, content_type: object
) -> None:
    answer = await client.post(EMAIL, json=email_body(contentType=content_type))

    assert set(reasons_in(answer)) == {"$.contentType", "emailNotificationOrderRequest"}


@pytest.mark.parametrize(
    "name",
    [
        "sendersReference",
        "conditionEndpoint",
        "ignoreReservation",
        "resourceId",
        "resourceAction",
        "contentType",
        "reminders",
    ],
)
async def test_an_explicit_null_is_as_good_as_nothing(client: httpx2.AsyncClient, name: str) -> None:
    answer = await client.post(EMAIL, json=email_body(**{name: None}))

    order = await read_back(client, answer)
    assert name not in order
    assert order["emailTemplate"]["contentType"] == "Plain"


async def test_a_recipient_may_name_every_member_and_null_the_unused(client: httpx2.AsyncClient) -> None:
    unused = dict.fromkeys(["mobileNumber", "organizationNumber", "nationalIdentityNumber", "isReserved"])

    answer = await client.post(EMAIL, json=email_body(recipients=[KARI | unused]))

    assert (await read_back(client, answer))["recipients"] == [KARI]


@pytest.mark.parametrize(
    "unknown",
    [
        {"smsTemplate": {"senderNumber": "Ttd", "body": "Hei"}},
        {"emailSettings": {"fromAddress": "a@b.no"}},
        {"x": [{"y": [[1.5e300, "æ", None, True]]}]},
        {"": 0},
        {"recipients": [KARI | {"isReserved": True, "navn": "Kari"}]},
    ],
)
@pytest.mark.parametrize(("path", "body"), [(EMAIL, email_body()), (ORDERS, order_body())], ids=["email", "any"])
async def test_members_that_we_do_not_know_are_ignored(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any], unknown: dict[str, Any]
) -> None:
    answer = await client.post(path, json=body | unknown)

    assert (await read_back(client, answer))["recipients"] == [KARI]


@pytest.mark.parametrize(
    ("members", "shown"),
    [
        ('"sendersReference": "en", "sendersReference": "to"', "to"),
        ('"sendersReference": "en", "SendersReference": "to"', "to"),
        ('"SendersReference": "to", "sendersReference": "en"', "en"),
        ('"sendersReference": "en", "sendersReference": null', None),
        ('"SendersReference": "en", "SENDERSREFERENCE": null', None),
    ],
)
async def test_of_a_member_that_is_given_twice_the_last_one_counts(
    client: httpx2.AsyncClient, members: str, shown: str | None
) -> None:
    rest = json.dumps(email_body()).removeprefix("{")

    answer = await client.post(EMAIL, content=f"{{{members}, {rest}", headers={"Content-Type": "application/json"})

    assert (await read_back(client, answer)).get("sendersReference") == shown


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "Application/JSON",
    ],
)
async def test_json_is_known_by_its_content_type_with_or_without_charset(
    client: httpx2.AsyncClient, content_type: str
) -> None:
    body = json.dumps(email_body()).encode()

    answer = await client.post(EMAIL, content=body, headers={"Content-Type": content_type})

    assert answer.status_code == 202


@pytest.mark.parametrize("path", [f"{EMAIL}/", EMAIL.upper(), EMAIL.title(), "/Notifications/API/v1/Orders/Email/"])
async def test_a_path_is_found_in_any_case_and_with_a_slash_at_the_end(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.post(path, json=email_body())

    assert answer.status_code == 202


@pytest.mark.parametrize("end", ["", "/", "/status", "/status/", "/NOTIFICATIONS/Email/", "/notifications/sms/"])
async def test_an_order_is_read_in_any_case_and_with_a_slash_at_the_end(client: httpx2.AsyncClient, end: str) -> None:
    order_id = await place(client)

    answer = await client.get(f"{ORDERS}/{order_id}{end}")

    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["sendersReference", "SENDERSREFERENCE", "sendersreference"])
async def test_the_name_of_a_query_parameter_is_read_in_any_case(client: httpx2.AsyncClient, name: str) -> None:
    order_id = await place(client, sendersReference="Ref")

    answer = await client.get(f"{ORDERS}/", params={name: "Ref"})

    assert [order["id"] for order in answer.json()["orders"]] == [order_id]


@pytest.mark.parametrize(
    "extra", [{}, {"json": {}}, {"content": b"{"}, {"content": b"", "headers": {"Content-Type": "text/plain"}}]
)
async def test_a_cancellation_needs_no_body_and_reads_none(client: httpx2.AsyncClient, extra: dict[str, Any]) -> None:
    order_id = await place(client, requestedSendTime="2090-01-01T00:00:00Z")

    answer = await client.put(f"{ORDERS}/{order_id}/cancel", **extra)

    assert answer.status_code == 200


async def test_a_body_with_a_get_is_not_read(client: httpx2.AsyncClient) -> None:
    answer = await client.request("GET", f"{ORDERS}/{uuid4()}/notifications/email", json={})

    assert answer.status_code == 404
