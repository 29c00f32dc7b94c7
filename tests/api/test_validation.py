"""What an order must hold: the contract's keys and messages, and which of them come together."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.api.bodies import KARI, ORDERS, PROBLEM, email_body, order_body, reasons_in

EMAIL = f"{ORDERS}/email"
NO_TIME_ZONE = "The requested send time value must have specified a time zone."
TOO_EARLY = "Send time must be in the future. Leave blank to send immediately."
NO_URL = "The condition endpoint must be a valid URL."
NO_RESOURCE = "ResourceAction cannot be specified without a ResourceId."
BLANK_ACTION = "ResourceAction cannot be blank or whitespace."
NO_TEMPLATE = "An email template is required for the selected notification channel."
NO_BODY = "The email template body must not be empty."
NO_SUBJECT = "The email template subject must not be empty."


def required(*names: str) -> dict[str, list[str]]:
    return {name: [f"The {name.rpartition('.')[2]} field is required."] for name in names}


async def test_a_problem_says_what_is_wrong_in_the_shape_of_the_contract(client: httpx2.AsyncClient) -> None:
    answer = await client.post(EMAIL, json=email_body(recipients=[]))

    body = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/json; charset=utf-8")
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", body.pop("traceId"))
    assert body == {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
        "title": PROBLEM,
        "status": 400,
        "errors": {"Recipients": ["One or more recipient is required."]},
    }


@pytest.mark.parametrize("blank", [None, "", " ", "\t\r\n", "\u00a0"])
@pytest.mark.parametrize(("member", "key"), [("subject", "Subject"), ("body", "Body")])
async def test_an_email_order_without_subject_or_body_is_refused(
    client: httpx2.AsyncClient, member: str, key: str, blank: str | None
) -> None:
    answer = await client.post(EMAIL, json=email_body(**{member: blank}))

    assert reasons_in(answer) == required(key)


@pytest.mark.parametrize(
    ("path", "body", "missing"),
    [
        (EMAIL, {}, ["Subject", "Body"]),
        (EMAIL, {"recipients": None}, ["Subject", "Body", "Recipients"]),
        (EMAIL, email_body(recipients=None), ["Recipients"]),
        (ORDERS, order_body(recipients=None), ["Recipients"]),
        (ORDERS, {"recipients": None}, ["Recipients"]),
        (ORDERS, order_body(emailTemplate={"fromAddress": None}), ["EmailTemplate.FromAddress"]),
        (ORDERS, order_body(emailTemplate={"subject": None}), ["EmailTemplate.Subject"]),
        (ORDERS, order_body(emailTemplate={"body": None}), ["EmailTemplate.Body"]),
        (
            ORDERS,
            order_body(emailTemplate={"fromAddress": None, "subject": None, "body": None}),
            ["EmailTemplate.FromAddress", "EmailTemplate.Subject", "EmailTemplate.Body"],
        ),
        (ORDERS, {"recipients": None, "emailTemplate": {"body": None}}, ["EmailTemplate.Body", "Recipients"]),
    ],
)
async def test_all_that_is_missing_is_named_in_one_answer(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any], missing: list[str]
) -> None:
    answer = await client.post(path, json=body)

    assert reasons_in(answer) == required(*missing)


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t"])
@pytest.mark.parametrize(("path", "parameter"), [(EMAIL, "emailNotificationOrderRequest")])
async def test_an_empty_body_is_refused(client: httpx2.AsyncClient, path: str, parameter: str, body: bytes) -> None:
    answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})

    assert reasons_in(answer) == {"": ["A non-empty request body is required."], **required(parameter)}


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"subject": 1}, "$.subject"),
        ({"subject": ["Hei"]}, "$.subject"),
        ({"sendersReference": 4711}, "$.sendersReference"),
        ({"ignoreReservation": "true"}, "$.ignoreReservation"),
        ({"ignoreReservation": 1}, "$.ignoreReservation"),
        ({"recipients": {}}, "$.recipients"),
        ({"recipients": "kari@sandbox.test"}, "$.recipients"),
        ({"recipients": [KARI, None]}, "$.recipients[1]"),
        ({"recipients": ["kari@sandbox.test"]}, "$.recipients[0]"),
        ({"recipients": [KARI, {"emailAddress": 1}]}, "$.recipients[1].emailAddress"),
        ({"requestedSendTime": None}, "$.requestedSendTime"),
        ({"requestedSendTime": 1767225600}, "$.requestedSendTime"),
        ({"requestedSendTime": ""}, "$.requestedSendTime"),
        ({"requestedSendTime": "tomorrow"}, "$.requestedSendTime"),
        ({"requestedSendTime": "2090-01-02 03:04:05Z"}, "$.requestedSendTime"),
        ({"requestedSendTime": "20900102T030405Z"}, "$.requestedSendTime"),
        ({"requestedSendTime": "2090-W01-1T03:04:05Z"}, "$.requestedSendTime"),
        ({"requestedSendTime": "2090-13-01T03:04:05Z"}, "$.requestedSendTime"),
        ({"requestedSendTime": "2090-02-29T03:04:05Z"}, "$.requestedSendTime"),
        ({"requestedSendTime": "2090-01-02T25:04:05Z"}, "$.requestedSendTime"),
        ({"requestedSendTime": "2090-01-02T03:04:05+0200"}, "$.requestedSendTime"),
        ({"requestedSendTime": "2090-01-02T03:04:05.Z"}, "$.requestedSendTime"),
        ({"requestedSendTime": "2090-01-02T03:04:05Z\n"}, "$.requestedSendTime"),
        ({"requestedSendTime": "٢٠٩٠-01-02T03:04:05Z"}, "$.requestedSendTime"),
        ({"requestedSendTime": "0001-01-01T00:00:00+02:00"}, "$.requestedSendTime"),
        ({"requestedSendTime": "tomorrow", "subject": None}, "$.requestedSendTime"),
    ],
    ids=str,
)
async def test_a_value_of_the_wrong_kind_is_named_by_its_path_and_alone(
    client: httpx2.AsyncClient, changes: dict[str, Any], at: str
) -> None:
    answer = await client.post(EMAIL, json=email_body(**changes))

    reasons = reasons_in(answer)
    assert set(reasons) == {at, "emailNotificationOrderRequest"}
    assert reasons[at][0].startswith("The JSON value could not be converted")
    assert reasons["emailNotificationOrderRequest"] == ["The emailNotificationOrderRequest field is required."]


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"notificationChannel": "Brev"}, "$.notificationChannel"),
        ({"emailTemplate": "Hei"}, "$.emailTemplate"),
        ({"emailTemplate": {"subject": 1}}, "$.emailTemplate.subject"),
        ({"emailTemplate": {"contentType": "Brev"}}, "$.emailTemplate.contentType"),
    ],
)
async def test_a_value_of_the_wrong_kind_is_named_by_its_path_on_any_channel(
    client: httpx2.AsyncClient, changes: dict[str, Any], at: str
) -> None:
    answer = await client.post(ORDERS, json=order_body(**changes))

    assert set(reasons_in(answer)) == {at, "notificationOrderRequest"}


def minutes_ago(minutes: float, zone: str = "Z") -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S") + zone


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"requestedSendTime": "2090-01-02T03:04:05"}, {"RequestedSendTime": [NO_TIME_ZONE]}),
        ({"requestedSendTime": "2090-01-02T03:04"}, {"RequestedSendTime": [NO_TIME_ZONE]}),
        ({"requestedSendTime": "2090-01-02"}, {"RequestedSendTime": [NO_TIME_ZONE]}),
        ({"requestedSendTime": "2020-01-02T03:04:05Z"}, {"RequestedSendTime": [TOO_EARLY]}),
        ({"requestedSendTime": minutes_ago(6)}, {"RequestedSendTime": [TOO_EARLY]}),
        ({"requestedSendTime": minutes_ago(0, "+02:00")}, {"RequestedSendTime": [TOO_EARLY]}),
        ({"requestedSendTime": "0001-01-01T00:00:00Z"}, {"RequestedSendTime": [TOO_EARLY]}),
        ({"requestedSendTime": "2020-01-02"}, {"RequestedSendTime": [NO_TIME_ZONE, TOO_EARLY]}),
        ({"resourceAction": "read"}, {"ResourceAction": [NO_RESOURCE]}),
        ({"resourceAction": "read", "resourceId": ""}, {"ResourceAction": [NO_RESOURCE]}),
        ({"resourceAction": "read", "resourceId": " "}, {"ResourceAction": [NO_RESOURCE]}),
        ({"resourceAction": " ", "resourceId": "skjema"}, {"ResourceAction": [BLANK_ACTION]}),
        ({"recipients": []}, {"Recipients": ["One or more recipient is required."]}),
        (
            {"requestedSendTime": "2020-01-02T03:04:05Z", "conditionEndpoint": "x", "recipients": []},
            {
                "RequestedSendTime": [TOO_EARLY],
                "ConditionEndpoint": [NO_URL],
                "Recipients": ["One or more recipient is required."],
            },
        ),
    ],
)
@pytest.mark.parametrize(("path", "body"), [(EMAIL, email_body()), (ORDERS, order_body())], ids=["email", "any"])
async def test_every_rule_that_is_broken_is_named(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any], changes: dict[str, Any], reasons: dict[str, list[str]]
) -> None:
    answer = await client.post(path, json=body | changes)

    assert reasons_in(answer) == reasons


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"notificationChannel": None}, {"NotificationChannel": ["A notification channel must be defined."]}),
        ({"emailTemplate": None}, {"EmailTemplate": [NO_TEMPLATE]}),
        ({"emailTemplate": {}}, {"EmailTemplate.Body": [NO_BODY], "EmailTemplate.Subject": [NO_SUBJECT]}),
        ({"emailTemplate": {"subject": "Hei", "body": " \n"}}, {"EmailTemplate.Body": [NO_BODY]}),
        ({"emailTemplate": {"subject": "\t", "body": "Hei"}}, {"EmailTemplate.Subject": [NO_SUBJECT]}),
        (
            {"notificationChannel": None, "emailTemplate": {"subject": ""}, "recipients": []},
            {
                "NotificationChannel": ["A notification channel must be defined."],
                "EmailTemplate.Body": [NO_BODY],
                "EmailTemplate.Subject": [NO_SUBJECT],
                "Recipients": ["One or more recipient is required."],
            },
        ),
    ],
)
async def test_every_broken_rule_of_an_order_on_any_channel_is_named(
    client: httpx2.AsyncClient, changes: dict[str, Any], reasons: dict[str, list[str]]
) -> None:
    answer = await client.post(ORDERS, json=order_body(**changes))

    assert reasons_in(answer) == reasons


@pytest.mark.parametrize("body", [email_body(subject=None, conditionEndpoint="x", recipients=[])])
async def test_what_is_missing_and_what_is_wrong_are_never_in_one_answer(
    client: httpx2.AsyncClient, body: dict[str, Any]
) -> None:
    answer = await client.post(EMAIL, json=body)

    assert reasons_in(answer) == required("Subject")


@pytest.mark.parametrize("channel", ["Sms", "EmailPreferred", "SmsPreferred", "EmailAndSms"])
async def test_a_channel_that_is_not_built_is_refused_under_its_own_key(
    client: httpx2.AsyncClient, channel: str
) -> None:
    answer = await client.post(ORDERS, json=order_body(notificationChannel=channel))

    assert list(reasons_in(answer)) == ["NotificationChannel"]


async def test_an_sms_order_is_refused_under_the_channels_key(client: httpx2.AsyncClient) -> None:
    body = {"body": "Hei", "recipients": [{"mobileNumber": "+4790000000"}]}

    answer = await client.post(f"{ORDERS}/sms", json=body)

    assert list(reasons_in(answer)) == ["NotificationChannel"]
