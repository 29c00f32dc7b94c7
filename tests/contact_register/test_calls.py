"""Calls to a register over HTTP: what is asked, what counts as an answer, and what happens where there is none."""

import asyncio
from datetime import timedelta

import httpx2
import pytest

from tests.contact_register.played_register import (
    CLOSE,
    HANG,
    LIMIT,
    PlayedRegister,
    Reply,
    calls_to,
    plain_client,
    said,
)
from tests.contact_register.told import ASKED, PAGE, PATH, Told, absent_url, reason_of
from varsel.contact_register import calls as calls_module
from varsel.contact_register.calls import AT_ONCE, TRIES, Calls
from varsel.outgoing.access_tokens import AccessTokens, OwnClient
from varsel.outgoing.credentials import Credentials


async def test_a_call_is_a_post_of_json_that_asks_for_json_uncompressed(calls: Calls, played: PlayedRegister) -> None:
    played.replies[PATH] = said({"number": 7})

    told = await calls.post(PATH, {"numbers": ["01018045678"], "navn": "Åse"}, Told)

    assert told == Told(7)
    [asked] = played.asked
    assert asked.body == {"numbers": ["01018045678"], "navn": "Åse"}
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["accept"] == "application/json"
    assert asked.headers["accept-encoding"] == "identity"
    assert not {"authorization", "platformaccesstoken", "cookie"} & set(asked.headers)


@pytest.mark.parametrize(
    "reply",
    [
        said({"number": 7, "unknown": {"more": [None]}}),
        said({"number": 7}, 201),
        said({"number": 7}, headers="Content-Type: text/plain\r\n"),
        said(b'\r\n {"number" : 7}\r\n'),
        said({"number": 7}, headers="Connection: close\r\n"),
        Reply(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{"numb\r\n6\r\ner":7}\r\n0\r\n\r\n'),
        Reply(b'HTTP/1.0 200 OK\r\n\r\n{"number": 7}', closes=True),
    ],
)
async def test_an_answer_that_holds_what_is_wanted_is_taken(calls: Calls, played: PlayedRegister, reply: Reply) -> None:
    played.replies[PATH] = reply

    assert await calls.post(PATH, ASKED, Told) == Told(7)
    assert len(played.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        PAGE,
        b"",
        b'{"number": 7',
        b'{"number": 7} {"number": 8}',
        b'{"number": "7"}',
        b'{"number": null}',
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b'{"number": 7, "name": "\\ud800"}',
        b'{"number": 1e999}',
        b'{"number": ' + b"9" * 5_000 + b"}",
        b'{"number": 7, "unknown": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda body: repr(body[:32]),
)
async def test_an_answer_that_cannot_be_read_is_none(calls: Calls, played: PlayedRegister, body: bytes) -> None:
    played.replies[PATH] = said(body)

    assert await reason_of(calls) == "its answer cannot be read"
    assert played.paths == [PATH] * TRIES


async def test_a_page_is_no_answer_however_its_type_is_called(calls: Calls, played: PlayedRegister) -> None:
    played.replies[PATH] = said(PAGE, headers="Content-Type: application/json\r\n")

    assert await reason_of(calls) == "its answer cannot be read"


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504, 599])
async def test_a_call_that_is_answered_with_an_error_is_tried_once_more(
    calls: Calls, played: PlayedRegister, status: int
) -> None:
    played.replies[PATH] = said({"number": 7, "detail": "01018045678"}, status, "Location: /elsewhere\r\n")

    assert await reason_of(calls) == f"it says {status}"
    assert played.paths == [PATH] * TRIES


SILENT: dict[str, tuple[Reply, str]] = {
    "closes": (CLOSE, "RemoteProtocolError"),
    "speaks something else": (Reply(b"220 mail.example.no ESMTP\r\n", closes=True), "RemoteProtocolError"),
    "speaks in bytes": (Reply(bytes(range(256)) * 4, closes=True), "RemoteProtocolError"),
    "has half a head": (Reply(b"HTTP/1.1 200 OK\r\nContent-Le", closes=True), "RemoteProtocolError"),
    "has a length that is none": (
        Reply(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}", closes=True),
        "RemoteProtocolError",
    ),
    "ends too early": (
        Reply(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"number": 7}', closes=True),
        "RemoteProtocolError",
    ),
    "has chunks that are none": (
        Reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", closes=True),
        "RemoteProtocolError",
    ),
    "is compressed": (
        said({"number": 7}, headers="Content-Encoding: gzip\r\n"),
        "compressed, though we asked for it not to be",
    ),
}


@pytest.mark.parametrize("kind", SILENT)
async def test_a_call_whose_answer_does_not_come_whole_is_tried_once_more(
    calls: Calls, played: PlayedRegister, kind: str
) -> None:
    played.replies[PATH], reason = SILENT[kind]

    assert await reason_of(calls) == reason
    assert played.paths == [PATH] * TRIES


@pytest.mark.parametrize(
    "first",
    [said({}, 503), said(PAGE), *(reply for reply, _ in SILENT.values())],
    ids=["is an error", "is a page", *SILENT],
)
async def test_what_goes_well_the_second_time_went_well(calls: Calls, played: PlayedRegister, first: Reply) -> None:
    played.in_turn = [first]
    played.replies[PATH] = said({"number": 7})

    assert await calls.post(PATH, ASKED, Told) == Told(7)
    assert [asked.body for asked in played.asked] == [ASKED, ASKED]


@pytest.mark.parametrize(
    "reply", [HANG, Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"), Reply(b"HTTP/1.1 2")]
)
async def test_an_answer_that_does_not_come_in_time_is_none(
    http: httpx2.AsyncClient, played: PlayedRegister, reply: Reply
) -> None:
    played.replies[PATH] = reply
    calls = Calls(http, Credentials(), played.url, within=timedelta(seconds=0.05))

    assert await reason_of(calls) == "none within 0.05 s"
    assert played.paths == [PATH] * TRIES


@pytest.mark.parametrize(
    "reply",
    [
        said(b'{"number": 7, "more": "' + b"x" * 1_000 + b'"}'),
        Reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"64\r\n" + b" " * 100 + b"\r\n") * 11),
    ],
    ids=["told before", "without an end"],
)
async def test_an_answer_is_read_no_further_than_its_limit(
    calls: Calls, played: PlayedRegister, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    monkeypatch.setattr(calls_module, "SIZE_LIMIT", 1_000)
    played.replies[PATH] = reply

    assert await reason_of(calls) == "larger than 1000 bytes"


async def test_a_register_that_is_absent_gives_no_answer(http: httpx2.AsyncClient) -> None:
    assert await reason_of(calls_to(await absent_url(), http)) == "ConnectError from ConnectionRefusedError"


@pytest.mark.parametrize("shows_bearer", [True, False])
@pytest.mark.parametrize("shows_platform", [True, False])
async def test_a_call_shows_the_credentials_that_there_are(
    played: PlayedRegister, http: httpx2.AsyncClient, shows_bearer: bool, shows_platform: bool
) -> None:
    played.replies["/token"] = said({"access_token": "t-1", "expires_in": 600})
    played.replies[PATH] = said({"number": 7})
    tokens = AccessTokens(OwnClient(f"{played.url}/token", "varsel", "secret"), http)
    credentials = Credentials(tokens if shows_bearer else None, "a:b", (lambda: "p-1") if shows_platform else None)

    await calls_to(played.url, http, credentials).post(PATH, ASKED, Told)

    shown = played.asked[-1].headers
    assert shown.get("authorization") == ("Bearer t-1" if shows_bearer else None)
    assert shown.get("platformaccesstoken") == ("p-1" if shows_platform else None)


async def test_a_token_that_is_not_taken_is_replaced_once_and_the_new_one_kept(
    played: PlayedRegister, http: httpx2.AsyncClient
) -> None:
    numbers = iter(range(1, 9))
    played.replies["/token"] = lambda asked: said({"access_token": f"t-{next(numbers)}", "expires_in": 600})
    played.replies[PATH] = lambda asked: said(
        {"number": 7}, 401 if asked.headers["authorization"] == "Bearer t-1" else 200
    )
    tokens = AccessTokens(OwnClient(f"{played.url}/token", "varsel", "secret"), http)
    calls = calls_to(played.url, http, Credentials(tokens, "a:b"))

    told = [await calls.post(PATH, ASKED, Told) for _ in range(2)]

    assert told == [Told(7), Told(7)]
    assert played.paths == ["/token", PATH, "/token", PATH, PATH]


async def test_whose_fresh_token_is_not_taken_either_gets_no_third(
    played: PlayedRegister, http: httpx2.AsyncClient
) -> None:
    played.replies["/token"] = said({"access_token": "t", "expires_in": 600})
    played.replies[PATH] = said({}, 401)
    tokens = AccessTokens(OwnClient(f"{played.url}/token", "varsel", "secret"), http)

    assert await reason_of(calls_to(played.url, http, Credentials(tokens, "a:b"))) == "it says 401"
    assert played.paths == ["/token", PATH, "/token", PATH]


async def test_without_a_token_the_register_is_not_asked(played: PlayedRegister, http: httpx2.AsyncClient) -> None:
    played.replies["/token"] = said({"error": "invalid_client"}, 400)
    tokens = AccessTokens(OwnClient(f"{played.url}/token", "varsel", "secret"), http)

    assert await reason_of(calls_to(played.url, http, Credentials(tokens, "a:b"))) == "the token endpoint says 400"
    assert set(played.paths) == {"/token"}


async def test_a_redirect_is_not_followed(calls: Calls, played: PlayedRegister) -> None:
    played.replies[PATH] = said({}, 307, f"Location: {played.url}/elsewhere\r\n")
    played.replies["/elsewhere"] = said({"number": 7})

    assert await reason_of(calls) == "it says 307"
    assert "/elsewhere" not in played.paths


async def test_connections_are_used_again(calls: Calls, played: PlayedRegister) -> None:
    played.replies[PATH] = said({"number": 7})

    for _ in range(20):
        await calls.post(PATH, ASKED, Told)

    assert (len(played.asked), played.connections) == (20, 1)


async def test_an_answer_that_is_an_error_costs_no_connection(calls: Calls, played: PlayedRegister) -> None:
    played.replies[PATH] = said(PAGE, 503)

    for _ in range(3):
        await reason_of(calls)

    assert played.connections == 1


async def test_connections_that_were_closed_meanwhile_do_no_harm(calls: Calls, played: PlayedRegister) -> None:
    played.replies[PATH] = said({"number": 7})
    await calls.post(PATH, ASKED, Told)
    played.cut()

    assert await calls.post(PATH, ASKED, Told) == Told(7)


async def test_a_bounded_number_of_calls_is_in_flight(calls: Calls, played: PlayedRegister) -> None:
    played.replies[PATH] = said({"number": 7})
    may_answer = played.hold(PATH)
    many = asyncio.gather(*(calls.post(PATH, ASKED, Told) for _ in range(3 * AT_ONCE)))
    await played.until_in_flight(PATH, AT_ONCE)
    await _round_trip(played)

    may_answer.set()

    assert await many == [Told(7)] * 3 * AT_ONCE
    assert played.most_in_flight[PATH] == AT_ONCE
    assert played.connections == AT_ONCE + 1  # and that of the round trip


async def _round_trip(played: PlayedRegister) -> None:
    """Give whatever is on its way the time to arrive."""
    async with plain_client() as another:
        await another.get(f"{played.url}/elsewhere")


async def test_whoever_gives_up_makes_room(calls: Calls, played: PlayedRegister) -> None:
    played.replies[PATH], played.replies["/quick"] = HANG, said({"number": 7})
    tasks = [asyncio.create_task(calls.post(PATH, ASKED, Told)) for _ in range(AT_ONCE)]
    await played.until_in_flight(PATH, AT_ONCE)

    for task in tasks:
        task.cancel()

    async with asyncio.timeout(LIMIT):
        assert await calls.post("/quick", ASKED, Told) == Told(7)
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*tasks, return_exceptions=True))
