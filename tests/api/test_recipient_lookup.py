"""What an owner is told of the recipients when an order is placed, by a register that is asked over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from tests.api.bodies import ORDERS, email_body, order_body
from tests.contact_register.played_register import (
    CLOSE,
    HANG,
    LIMIT,
    ORGANIZATIONS,
    PERSONS,
    UNITS,
    PlayedRegister,
    Reply,
    altinn_registers,
    contact_points,
    plain_client,
    played_register,
    said,
)
from varsel.api.app import build_app
from varsel.api.desk import LARGE_LOOKUPS, LARGE_LOOKUPS_IN_LINE, Desk
from varsel.auth.bearer import BearerTokens
from varsel.auth.caller import CREATE_SCOPE
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.contact_register import calls as calls_module
from varsel.database.connect import Pool
from varsel.orders import reach
from varsel.orders.generate import BULK
from varsel.settings import Settings

KARI, RESERVED, UNKNOWN = "01818011039", "03818011007", "01018045678"
BEDRIFT, EMPTY = "310300004", "310500003"
LATER = "2090-01-02T03:04:05Z"


@pytest.fixture
async def played(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PlayedRegister]:
    """A register that knows three persons and organisations."""
    monkeypatch.setattr(calls_module, "BETWEEN_TRIES", timedelta(0))
    async with played_register() as played:
        played.replies |= {
            PERSONS: contact_points(
                {"nationalIdentityNumber": KARI, "email": "kari@sandbox.test"},
                {"nationalIdentityNumber": RESERVED, "email": "rolf@sandbox.test", "isReserved": True},
            ),
            ORGANIZATIONS: contact_points(
                {"organizationNumber": BEDRIFT, "emailList": ["post@sandbox.test"]},
                {"organizationNumber": EMPTY, "emailList": []},
            ),
        }
        yield played


@pytest.fixture
async def owner(
    played: PlayedRegister, pool: Pool, settings: Settings, issuer: DevelopmentIssuer, orders_placed: list[None]
) -> AsyncIterator[httpx2.AsyncClient]:
    """The client of the service owner ttd, at a service that asks the played register."""
    tokens = BearerTokens({issuer.issuer: issuer})
    token = issuer.token(scopes=[CREATE_SCOPE], lifetime=timedelta(minutes=5), org="ttd")
    async with plain_client() as asking:
        register = altinn_registers(played, asking, decides=True)
        app = build_app(Desk(pool, settings, tokens, lambda: orders_placed.append(None), register))
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://varsel.test", headers=headers) as owner:
            yield owner


def recipients(*who: str) -> list[dict[str, str]]:
    names = {11: "nationalIdentityNumber", 9: "organizationNumber"}
    return [{names.get(len(identity), "emailAddress"): identity} for identity in who]


@pytest.mark.parametrize(
    ("who", "status", "reserved", "missing"),
    [
        ([KARI], "Success", [], []),
        ([KARI, BEDRIFT, KARI], "Success", [], []),
        ([KARI, RESERVED], "PartialSuccess", [RESERVED], []),
        ([KARI, UNKNOWN, EMPTY], "PartialSuccess", [], [UNKNOWN, EMPTY]),
        ([RESERVED], "Failed", [RESERVED], []),
        ([UNKNOWN, RESERVED, EMPTY], "Failed", [RESERVED], [UNKNOWN, EMPTY]),
        ([UNKNOWN, UNKNOWN], "PartialSuccess", [], [UNKNOWN]),
        ([RESERVED, RESERVED], "PartialSuccess", [RESERVED], []),
        (["ola@sandbox.test", UNKNOWN], "Failed", [], [UNKNOWN]),
        (["ola@sandbox.test", KARI], "Success", [], []),
    ],
)
@pytest.mark.parametrize("path", [f"{ORDERS}/email", ORDERS])
async def test_an_owner_is_told_who_cannot_be_reached(
    owner: httpx2.AsyncClient, path: str, who: list[str], status: str, reserved: list[str], missing: list[str]
) -> None:
    body = order_body if path == ORDERS else email_body

    answer = await owner.post(path, json=body(recipients=recipients(*who)))

    assert answer.status_code == 202
    assert answer.json() == {
        "orderId": answer.json()["orderId"],
        "recipientLookup": {"status": status, "isReserved": reserved, "missingContact": missing},
    }


@pytest.mark.parametrize("ignores", [True, False, None])
async def test_a_reserved_person_is_told_even_where_the_order_ignores_it(
    owner: httpx2.AsyncClient, ignores: bool | None
) -> None:
    body = email_body(recipients=recipients(RESERVED), ignoreReservation=ignores)

    lookup = (await owner.post(f"{ORDERS}/email", json=body)).json()["recipientLookup"]

    assert lookup == {"status": "Failed", "isReserved": [RESERVED], "missingContact": []}


async def test_where_nobody_is_looked_up_nothing_is_told_and_nobody_asked(
    owner: httpx2.AsyncClient, played: PlayedRegister
) -> None:
    answer = await owner.post(f"{ORDERS}/email", json=email_body(recipients=recipients("ola@sandbox.test", "k@x.no")))

    assert (answer.status_code, list(answer.json())) == (202, ["orderId"])
    assert played.paths == []


async def test_official_contacts_are_all_that_is_asked_for_when_an_order_is_placed(
    owner: httpx2.AsyncClient, played: PlayedRegister
) -> None:
    body = email_body(recipients=recipients(EMPTY, "ola@sandbox.test", KARI), resourceId="urn:altinn:resource:skjema")

    lookup = (await owner.post(f"{ORDERS}/email", json=body)).json()["recipientLookup"]

    assert lookup == {"status": "PartialSuccess", "isReserved": [], "missingContact": [EMPTY]}
    assert sorted(played.paths) == [ORGANIZATIONS, PERSONS]
    assert UNITS not in played.paths
    assert played.asked_at(PERSONS) == [{"nationalIdentityNumbers": [KARI], "useStaleContactInfo": False}]


async def test_whoever_cannot_be_reached_is_in_the_order_all_the_same(owner: httpx2.AsyncClient) -> None:
    given = recipients(UNKNOWN, RESERVED, "ola@sandbox.test", UNKNOWN)

    answer = await owner.post(f"{ORDERS}/email", json=email_body(recipients=given, requestedSendTime=LATER))

    stored = (await owner.get(f"{ORDERS}/{answer.json()['orderId']}")).json()
    assert stored["recipients"] == given


async def test_an_order_that_is_not_valid_asks_nobody(owner: httpx2.AsyncClient, played: PlayedRegister) -> None:
    answer = await owner.post(f"{ORDERS}/email", json=email_body(recipients=recipients(KARI), subject=""))

    assert answer.status_code == 400
    assert played.paths == []


@pytest.mark.parametrize(
    "reply",
    [CLOSE, said({}, 401), said({}, 404), said({}, 500), said(b"<html></html>"), said({"contactPointsList": None})],
)
async def test_while_the_register_is_down_an_order_is_refused_and_nothing_stored(
    owner: httpx2.AsyncClient, played: PlayedRegister, pool: Pool, orders_placed: list[None], reply: Reply
) -> None:
    played.replies[PERSONS] = reply

    with capture_logs() as logs:
        answer = await owner.post(f"{ORDERS}/email", json=email_body(recipients=recipients(BEDRIFT, KARI)))

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json()["title"] == "Service Unavailable"
    assert await pool.fetchval("SELECT count(*) FROM orders") == 0
    assert orders_placed == []
    [line] = [line for line in logs if line["log_level"] == "warning"]
    assert line["event"] == "request answered 503: the contact register does not answer"
    assert not [text for text in (KARI, BEDRIFT, played.url, "sandbox.test") if text in repr(logs) + answer.text]


async def test_an_order_of_addresses_is_taken_while_the_register_is_down(
    owner: httpx2.AsyncClient, played: PlayedRegister
) -> None:
    played.replies = {PERSONS: CLOSE, ORGANIZATIONS: CLOSE}
    await owner.post(f"{ORDERS}/email", json=email_body(recipients=recipients(KARI)))

    answer = await owner.post(f"{ORDERS}/email", json=email_body(recipients=recipients("ola@sandbox.test")))

    assert answer.status_code == 202


@pytest.mark.parametrize("who", [[f"ola+{n}@sandbox.test" for n in range(BULK + 1)], [KARI]], ids=["addresses", "few"])
async def test_large_lookups_keep_no_order_waiting_that_has_none(
    owner: httpx2.AsyncClient, played: PlayedRegister, who: list[str]
) -> None:
    many = [f"{number:09}" for number in range(BULK + 1)]
    played.replies[ORGANIZATIONS] = HANG
    large = [
        asyncio.create_task(owner.post(f"{ORDERS}/email", json=email_body(recipients=recipients(*many))))
        for _ in range(LARGE_LOOKUPS + 1)
    ]
    await played.until_in_flight(ORGANIZATIONS, LARGE_LOOKUPS)

    async with asyncio.timeout(LIMIT):
        answer = await owner.post(f"{ORDERS}/email", json=email_body(recipients=recipients(*who)))

    assert answer.status_code == 202
    assert played.most_in_flight[ORGANIZATIONS] == LARGE_LOOKUPS
    for task in large:
        task.cancel()
    await asyncio.gather(*large, return_exceptions=True)


async def test_a_large_order_that_would_have_to_wait_behind_many_is_refused(
    owner: httpx2.AsyncClient, played: PlayedRegister
) -> None:
    body = email_body(recipients=recipients(*(f"{number:09}" for number in range(BULK + 1))))
    played.replies[ORGANIZATIONS] = HANG
    room = LARGE_LOOKUPS + LARGE_LOOKUPS_IN_LINE
    posts = [asyncio.create_task(owner.post(f"{ORDERS}/email", json=body)) for _ in range(room + 1)]

    async with asyncio.timeout(LIMIT):
        [refused], others = await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)

    assert refused.result().status_code == 503
    assert len(others) == room
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def test_an_order_waits_for_the_register_no_longer_than_a_client_does(
    owner: httpx2.AsyncClient, played: PlayedRegister, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "LIMIT", 0.05)
    played.replies[PERSONS] = HANG

    with capture_logs() as logs:
        answer = await owner.post(f"{ORDERS}/email", json=email_body(recipients=recipients(KARI)))

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert [line["event"] for line in logs] == ["request answered 503: the contact register does not answer"]
    assert await pool.fetchval("SELECT count(*) FROM orders") == 0
    await played.until_in_flight(PERSONS, 0)


async def test_a_repeat_with_its_key_is_one_order_and_told_anew(
    owner: httpx2.AsyncClient, played: PlayedRegister, pool: Pool
) -> None:
    async def post() -> dict[str, Any]:
        headers = {"Idempotency-Key": "key-1"}
        answer = await owner.post(f"{ORDERS}/email", json=email_body(recipients=recipients(UNKNOWN)), headers=headers)
        placed: dict[str, Any] = answer.json()
        return placed

    first = await post()
    played.replies[PERSONS] = contact_points({"nationalIdentityNumber": UNKNOWN, "email": "new@sandbox.test"})
    second = await post()

    assert first["orderId"] == second["orderId"]
    assert (first["recipientLookup"]["status"], second["recipientLookup"]["status"]) == ("Failed", "Success")
    assert await pool.fetchval("SELECT count(*) FROM orders") == 1
