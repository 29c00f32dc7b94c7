"""Whether an order's condition is met: what counts as an answer, and where the question goes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.outgoing.conditions import MET, NOT_MET, send_conditions
from tests.outgoing.web_server import Play, WebServer, http_answer, redirect, say_nothing
from varsel.orders.send_condition import SIZE_LIMIT, Condition, SendConditions
from varsel.outgoing.answer import NoAnswer
from varsel.outgoing.guard import Refused

HOST = "condition.test"
SHORT = timedelta(seconds=0.2)


@pytest.fixture
async def conditions(server: WebServer) -> AsyncIterator[SendConditions]:
    async with send_conditions(hosts={HOST: server.url}) as conditions:
        yield conditions


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (MET, Condition.MET),
        (NOT_MET, Condition.NOT_MET),
        (b'\n{ "sendNotification" : true }\r\n', Condition.MET),
        (b"\xef\xbb\xbf" + NOT_MET, Condition.NOT_MET),
        (b'{"reason": "\xc3\xb8", "sendNotification": false, "more": {"sendNotification": true}}', Condition.NOT_MET),
        (b'{"SendNotification": false, "sendNotification": true}', Condition.MET),
    ],
)
@pytest.mark.parametrize("status", [200, 201, 203, 299])
async def test_true_is_met_and_false_is_not(
    server: WebServer, conditions: SendConditions, body: bytes, said: Condition, status: int
) -> None:
    server.answers["/"] = http_answer(status, body, Content_Type="text/plain")

    assert await conditions.ask(f"https://{HOST}/") is said


@pytest.mark.parametrize("status", [300, 304, 400, 401, 403, 404, 408, 429, 500, 502, 503, 599])
async def test_a_status_that_is_no_success_is_no_answer_whatever_it_comes_with(
    server: WebServer, conditions: SendConditions, status: int
) -> None:
    server.answers["/"] = http_answer(status, MET)

    with pytest.raises(NoAnswer, match=f"it says {status}"):
        await conditions.ask(f"https://{HOST}/")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"true",
        b"null",
        b"[]",
        b"[true]",
        b'"sendNotification"',
        b"{}",
        b'{"sendNotification": null}',
        b'{"sendNotification": "true"}',
        b'{"sendNotification": "false"}',
        b'{"sendNotification": "True"}',
        b'{"sendNotification": 1}',
        b'{"sendNotification": 0}',
        b'{"sendNotification": []}',
        b'{"sendNotification": {"value": true}}',
        b'{"SendNotification": true}',
        b'{"sendnotification": true}',
        b'{"sendNotifications": true}',
        b'{"data": {"sendNotification": true}}',
        b'[{"sendNotification": true}]',
        b'{"sendNotification": true',
        b'{"sendNotification": true} {"sendNotification": false}',
        b'{"sendNotification": True}',
        b"{'sendNotification': true}",
        b'{"sendNotification": true,}',
        b'{"sendNotification": true, "\xff": 1, "x"}',
        b"\xff\xfe" + MET.decode().encode("utf-16-le"),
        b"\xef\xbb\xbf\xef\xbb\xbf" + MET,
        b"sendNotification=true",
        b"<html><body>{&quot;sendNotification&quot;:true}</body></html>",
        b"[" * 50_000,
        b'{"x":' * 10_000,
    ],
    ids=lambda body: repr(body[:50]),
)
async def test_anything_else_is_no_answer(server: WebServer, conditions: SendConditions, body: bytes) -> None:
    server.answers["/"] = http_answer(body=body)

    with pytest.raises(NoAnswer, match="no sendNotification that is true or false"):
        await conditions.ask(f"https://{HOST}/")


async def test_nothing_is_no_answer(server: WebServer, conditions: SendConditions) -> None:
    server.answers["/"] = b"HTTP/1.1 204 No Content\r\n\r\n"

    with pytest.raises(NoAnswer):
        await conditions.ask(f"https://{HOST}/")


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n" + MET, b"220 relay.test ESMTP\r\n"]
)
async def test_an_answer_that_does_not_come_whole_is_none(
    server: WebServer, conditions: SendConditions, raw: bytes
) -> None:
    server.answers["/"] = raw

    with pytest.raises(NoAnswer):
        await conditions.ask(f"https://{HOST}/")


async def test_a_server_that_says_nothing_is_no_answer(server: WebServer) -> None:
    server.answers["/"] = say_nothing

    async with send_conditions(hosts={HOST: server.url}, within=SHORT) as conditions:
        with pytest.raises(NoAnswer, match=r"none within 0\.2 s"):
            await conditions.ask(f"https://{HOST}/")


def slow_redirect(location: str) -> Play:
    """A third of the time limit, and nothing is known yet."""

    async def play(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(SHORT.total_seconds() / 3)
        writer.write(redirect(location))
        await writer.drain()

    return play


async def test_the_time_limit_is_for_all_redirects_together(server: WebServer) -> None:
    server.answers["/"] = slow_redirect("/")

    async with send_conditions(hosts={HOST: server.url}, within=SHORT) as conditions:
        with pytest.raises(NoAnswer, match=r"none within 0\.2 s"):
            await conditions.ask(f"https://{HOST}/")


async def test_an_answer_that_is_too_large_is_none(server: WebServer, conditions: SendConditions) -> None:
    server.answers["/"] = http_answer(body=MET + b" " * SIZE_LIMIT)

    with pytest.raises(NoAnswer, match="larger than"):
        await conditions.ask(f"https://{HOST}/")


@pytest.mark.parametrize(
    ("rest", "target"),
    [
        ("", "/"),
        ("/", "/"),
        ("?", "/?"),
        ("?a=b%20c&x=%C3%A6", "/?a=b%20c&x=%C3%A6"),
        ("/check?a=b%20c&x=%C3%A6", "/check?a=b%20c&x=%C3%A6"),
        ("/check", "/check"),
        ("/check/", "/check/"),
        ("/check?", "/check?"),
        ("/a//b", "/a//b"),
        ("//a", "//a"),
        ("/%2F/%2f", "/%2F/%2f"),
        ("/%2e%2e/a", "/%2e%2e/a"),
        ("/a+b?c+d=e+f", "/a+b?c+d=e+f"),
        ("/~a;b=c,d", "/~a;b=c,d"),
        ("/a:b@c!$&'()*", "/a:b@c!$&'()*"),
        ("?x=/?/&y=[0]&z={1}", "/?x=/?/&y=[0]&z={1}"),
        ("?x=%00&y=%ff", "/?x=%00&y=%ff"),
        ("?x=100%", "/?x=100%"),
        ("?id=8d6b2c1e-2a0f-4a55-9d1b-0c3f5f6f7a8b", "/?id=8d6b2c1e-2a0f-4a55-9d1b-0c3f5f6f7a8b"),
        ("/æ?ø=å", "/%C3%A6?%C3%B8=%C3%A5"),
        ("/a b?c d", "/a%20b?c%20d"),
        ("/a/./b/../c", "/a/c"),
        ("/check#part", "/check"),
        ("?a=b#part", "/?a=b"),
        ("#?a=b", "/"),
    ],
)
async def test_path_and_query_arrive_as_they_were_written(
    server: WebServer, conditions: SendConditions, rest: str, target: str
) -> None:
    server.otherwise = http_answer(body=MET)

    await conditions.ask(f"https://{HOST}{rest}")

    assert server.targets == [target]


@pytest.mark.parametrize("host", [HOST, HOST.upper(), f"{HOST}:8443", f"user:password@{HOST}"])
@pytest.mark.parametrize("scheme", ["http", "https", "HTTPS"])
async def test_a_host_is_led_elsewhere_by_its_name_alone(server: WebServer, scheme: str, host: str) -> None:
    server.answers["/gateway/of/conditions/check/?a=b"] = http_answer(body=NOT_MET)

    async with send_conditions(hosts={HOST: f"{server.url}/gateway/of/conditions"}) as conditions:
        assert await conditions.ask(f"{scheme}://{host}/check/?a=b") is Condition.NOT_MET


@pytest.mark.parametrize("written", ["blåbær.test", "BLÅBÆR.test", "xn--blbr-roah.test", "XN--blbr-roah.TEST"])
async def test_a_host_beyond_ascii_is_led_elsewhere_by_the_name_that_settings_can_hold(
    server: WebServer, written: str
) -> None:
    server.answers["/"] = http_answer(body=MET)

    async with send_conditions(hosts={"xn--blbr-roah.test": server.url}) as conditions:
        assert await conditions.ask(f"https://{written}/") is Condition.MET


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1/", "http://localhost@127.0.0.1/", "http://127.1?localhost", "http://0#@localhost/"]
)
async def test_no_other_host_is_led_there(server: WebServer, endpoint: str) -> None:
    async with send_conditions(hosts={"localhost": server.url}) as conditions:
        with pytest.raises(Refused):
            await conditions.ask(endpoint)

    assert server.connections == 0


async def test_a_question_is_a_get_for_json_with_nothing_in_it_that_is_ours(
    server: WebServer, conditions: SendConditions
) -> None:
    server.otherwise = http_answer(body=MET)

    await conditions.ask(f"https://user:password@{HOST}/")

    [asked] = server.asked
    assert (asked.method, asked.body, asked.headers["accept"]) == ("GET", b"", "application/json")
    assert not {"authorization", "cookie", "referer", "platformaccesstoken"} & set(asked.headers)


@pytest.mark.parametrize(
    "endpoint", ["", "x", "/x", "ftp://localhost/", "urn:x:y", "http://[", "https://a:b/", "//x/", "https://xn--a..no/"]
)
async def test_what_is_no_address_of_the_web_is_no_answer(conditions: SendConditions, endpoint: str) -> None:
    with pytest.raises(NoAnswer):
        await conditions.ask(endpoint)
