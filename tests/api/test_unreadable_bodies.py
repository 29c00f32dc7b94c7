"""Bodies that are no order, whatever they are: always a 400, never our own failure."""

import json
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.bodies import ORDERS, email_body, order_body, reasons_in
from varsel.api.check_order import HouseRules, email_order, order
from varsel.api.read_body import read_as
from varsel.api.wire import EmailOrderRequest, OrderRequest
from varsel.errors import InvalidOrder
from varsel.orders.order import NewOrder

EMAIL = f"{ORDERS}/email"
HEADERS = {"Content-Type": "application/json"}
REST = json.dumps(email_body()).removeprefix("{").encode()

over_http = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
in_memory = settings(max_examples=100, deadline=None, derandomize=True)

# Members by their own names, so that what lies behind the names is reached too.
NAMES = [
    *("sendersReference", "requestedSendTime", "conditionEndpoint", "recipients", "ignoreReservation"),
    *("resourceId", "resourceAction", "subject", "body", "contentType", "notificationChannel", "emailTemplate"),
    *("emailAddress", "mobileNumber", "organizationNumber", "nationalIdentityNumber", "fromAddress", "Subject"),
]
leaf = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["Email", "html", "2090-01-01T00:00:00Z", "2090-01-01T00:00", "kari@sandbox.test", "https://a.no"]
    )
    | st.datetimes().map(lambda moment: moment.isoformat() + "Z")
)
values = st.recursive(
    leaf,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=6),
    max_leaves=20,
)
changed_orders = st.dictionaries(st.sampled_from(NAMES), values, max_size=6)


def read_email_order(body: bytes) -> NewOrder:
    return email_order(read_as(body, EmailOrderRequest), "ttd", HouseRules("noreply@varsel.test"))


def read_order(body: bytes) -> NewOrder:
    return order(read_as(body, OrderRequest), "ttd", HouseRules("noreply@varsel.test"))


def orders_in(body: bytes) -> list[NewOrder]:
    """The orders that a body makes, on either path; whatever is raised but InvalidOrder fails the test."""
    orders, refusals = [], []
    for read in (read_email_order, read_order):
        try:
            orders.append(read(body))
        except InvalidOrder as error:
            refusals.append(error.reasons)
    assert all(reasons and all(reasons.values()) for reasons in refusals)
    return orders


@given(value=values)
@in_memory
def test_any_json_value_is_an_order_or_an_invalid_one(value: Any) -> None:
    assert all(checked.recipients for checked in orders_in(json.dumps(value).encode()))


@given(changes=changed_orders)
@in_memory
def test_any_change_of_an_order_leaves_it_an_order_or_an_invalid_one(changes: dict[str, Any]) -> None:
    for body in (email_body(), order_body()):
        assert all(checked.recipients for checked in orders_in(json.dumps(body | changes).encode()))


@given(content=st.binary(max_size=200))
@in_memory
def test_any_bytes_are_an_order_or_an_invalid_one(content: bytes) -> None:
    assert orders_in(content) == []


@given(changes=changed_orders)
@over_http
async def test_whatever_json_is_posted_is_accepted_or_refused(
    client: httpx2.AsyncClient, changes: dict[str, Any]
) -> None:
    for path, body in ((EMAIL, email_body()), (ORDERS, order_body())):
        content = json.dumps(body | changes).encode()

        answer = await client.post(path, content=content, headers=HEADERS)

        assert answer.status_code in (202, 400)


@given(before=st.binary(max_size=20), at=st.integers(0, 200))
@over_http
async def test_whatever_bytes_are_posted_are_accepted_or_refused(
    client: httpx2.AsyncClient, before: bytes, at: int
) -> None:
    body = json.dumps(order_body(), ensure_ascii=False).encode()

    answer = await client.post(ORDERS, content=body[:at] + before + body[at:], headers=HEADERS)

    assert answer.status_code in (202, 400)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"}",
        b"[",
        b"{]",
        b"nul",
        b"hei",
        b"'hei'",
        b"{'subject': 'Hei'}",
        b'{"subject": "Hei",}',
        b'{"subject": "Hei"} // Hei',
        b'{"subject": "Hei" /* Hei */}',
        b'{"subject": "Hei"}{}',
        b'{"subject": "en\nto"}',
        b'{"subject": "\\x41"}',
        b"{subject: 1}",
        b"NaN",
        b'{"x": Infinity}',
        b'{"x": 01}',
        b"\x00",
        b"\xff\xfe{}",
        b"<order/>",
        b"subject=Hei&body=Hei",
    ],
)
async def test_what_is_not_json_is_refused_at_its_root(client: httpx2.AsyncClient, body: bytes) -> None:
    answer = await client.post(EMAIL, content=body, headers=HEADERS)

    reasons = reasons_in(answer)
    assert set(reasons) == {"$", "emailNotificationOrderRequest"}
    assert reasons["emailNotificationOrderRequest"] == ["The emailNotificationOrderRequest field is required."]


@pytest.mark.parametrize("body", [b"[]", b'"Hei"', b"1", b"true", b"[[[]]]"])
async def test_json_that_is_no_object_is_refused_at_its_root(client: httpx2.AsyncClient, body: bytes) -> None:
    answer = await client.post(ORDERS, content=body, headers=HEADERS)

    assert set(reasons_in(answer)) == {"$", "notificationOrderRequest"}


@pytest.mark.parametrize(
    "member",
    [
        b'"sendersReference": "a\\u0000b"',
        b'"sendersReference": "\\\\\\u0000"',
        b'"recipients": [{"emailAddress": "a\\u0000@b.no"}]',
        b'"unknown": "\\u0000"',
        b'"un\\u0000known": 1',
        b'"sendersReference": "a\x00b"',
    ],
)
async def test_the_character_nul_is_refused(client: httpx2.AsyncClient, member: bytes) -> None:
    answer = await client.post(EMAIL, content=b"{" + member + b", " + REST, headers=HEADERS)

    assert "$" in reasons_in(answer)


@pytest.mark.parametrize(
    "reference", ["\\\\u0000", "\\\\\\\\u0000", "\\u0001", "\\ud83c\\uddf3", "\\uffff", "\\\\ud800"]
)
async def test_what_only_looks_like_nul_or_half_a_character_is_taken(
    client: httpx2.AsyncClient, reference: str
) -> None:
    member = f'"sendersReference": "{reference}"'
    rest = json.dumps(email_body()).removeprefix("{")

    answer = await client.post(EMAIL, content=f"{{{member}, {rest}", headers=HEADERS)

    order = (await client.get(answer.headers["Location"])).json()
    assert order["sendersReference"] == json.loads(f'"{reference}"')


@pytest.mark.parametrize(
    "text",
    [
        b"\\ud800",
        b"\\udc00",
        b"a\\ud83cb",
        b"\\udf00\\ud83c",
        b"\xff",
        b"\xc3",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"bl\xe5",
    ],
)
async def test_what_is_no_unicode_text_is_refused(client: httpx2.AsyncClient, text: bytes) -> None:
    for name in (b"sendersReference", b"SendersReference", b"unknown", b"body"):
        body = b'{"' + name + b'": "' + text + b'", "body": "Hei", "subject": "Hei", "recipients": []}'

        answer = await client.post(EMAIL, content=body, headers=HEADERS)

        assert "$" in reasons_in(answer), name


@pytest.mark.parametrize("value", [b"[" * 100_000, b'{"x":' * 100_000, b"[" * 5_000 + b"]" * 5_000])
@pytest.mark.parametrize("name", [b"unknown", b"recipients", b"subject"])
async def test_what_is_nested_too_deep_is_refused(client: httpx2.AsyncClient, name: bytes, value: bytes) -> None:
    # Last, because of a member that is given twice the last one counts.
    body = json.dumps(email_body()).removesuffix("}").encode() + b', "' + name + b'": ' + value + b"}"

    answer = await client.post(EMAIL, content=body, headers=HEADERS)

    assert "emailNotificationOrderRequest" in reasons_in(answer)


@pytest.mark.parametrize(("levels", "status"), [(31, 202), (32, 400)])
async def test_what_nobody_reads_may_be_nested_as_deep_as_in_the_original(
    client: httpx2.AsyncClient, levels: int, status: int
) -> None:
    nested = b"[" * levels + b"]" * levels

    answer = await client.post(EMAIL, content=b'{"unknown": ' + nested + b", " + REST, headers=HEADERS)

    assert answer.status_code == status


@pytest.mark.parametrize("number", [b"9" * 10_000, b"-" + b"9" * 10_000, b"1e999", b"1e-999", b"0." + b"3" * 10_000])
async def test_a_huge_number_is_refused_like_any_other(client: httpx2.AsyncClient, number: bytes) -> None:
    for name in ("contentType", "sendersReference", "requestedSendTime", "recipients"):
        body = json.dumps(email_body(**{name: 4711})).encode().replace(b"4711", number)

        answer = await client.post(EMAIL, content=body, headers=HEADERS)

        assert "emailNotificationOrderRequest" in reasons_in(answer), name


@pytest.mark.parametrize("number", [b"9" * 10_000, b"1e999", b"-1e999"])
async def test_a_huge_number_where_nobody_looks_does_no_harm(client: httpx2.AsyncClient, number: bytes) -> None:
    answer = await client.post(EMAIL, content=b'{"unknown": ' + number + b", " + REST, headers=HEADERS)

    assert answer.status_code in (202, 400)
