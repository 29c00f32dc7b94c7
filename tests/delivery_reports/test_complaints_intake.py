"""The address for complaints, which nobody can sign: what may come to it, how much of it, and what it may do.

And how many connections the listener holds.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from tests.delivery_reports.samples import new_complaint, new_dsn, recipient_fields
from tests.factories import notification_in, send_status_of
from tests.sandbox.smtp_client import RawClient, connected
from varsel.database.connect import Pool
from varsel.delivery_reports import intake
from varsel.delivery_reports.intake import CONNECTIONS_LIMIT, NO_COMPLAINTS, ComplaintRules, ReportIntake
from varsel.delivery_reports.record import ReportRules
from varsel.mail_server import MailServer
from varsel.notifications.send_status import SendStatus
from varsel.transports.return_path import ReturnPaths

S = SendStatus
LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure
ADDRESS = "complaints@bounce.varsel.test"
TAKING = ComplaintRules(ADDRESS)
COMPLAINT = new_complaint().decode().replace("\n", "\r\n")


async def hand_over(client: RawClient, address: str, content: str) -> str:
    """The reply to the final dot, or the first one before it that is negative."""
    await client.ask("RSET")
    for command in ("MAIL FROM:<>", f"RCPT TO:<{address}>", "DATA"):
        reply = await client.ask(command)
        if reply[:1] not in ("2", "3"):
            return reply
    return await client.ask(f"{content}.")


@asynccontextmanager
async def served(pool: Pool, return_paths: ReturnPaths, complaints: ComplaintRules = TAKING) -> AsyncIterator[int]:
    """The listener's port."""
    listener = ReportIntake(pool, ReportRules(return_paths), complaints)
    server = await listener.listen(MailServer("smtp", "127.0.0.1", 0))
    async with asyncio.timeout(LIMIT):
        yield server.sockets[0].getsockname()[1]
    server.close()


@asynccontextmanager
async def listening(
    pool: Pool, return_paths: ReturnPaths, complaints: ComplaintRules = TAKING
) -> AsyncIterator[RawClient]:
    """A client that has greeted the listener."""
    async with served(pool, return_paths, complaints) as port, connected(port) as client:
        yield client


def complaint_of(enclosed: str) -> str:
    """Who complained is not told, as providers do it; the mail is enclosed."""
    return new_complaint("Feedback-Type: abuse\n", enclosed=enclosed).decode().replace("\n", "\r\n")


async def suppressed(pool: Pool) -> list[tuple[str, str, str, bool]]:
    rows = await pool.fetch("SELECT owner, address, reason, until IS NULL FROM suppressed_addresses")
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("address", [ADDRESS, ADDRESS.upper(), "Complaints@Bounce.Varsel.Test"])
async def test_the_address_is_known_in_any_case(pool: Pool, return_paths: ReturnPaths, address: str) -> None:
    async with listening(pool, return_paths) as client:
        reply = await hand_over(client, address, COMPLAINT)

    assert reply == "250 2.0.0 Report taken"


async def test_where_no_address_is_set_none_is_known(pool: Pool, return_paths: ReturnPaths) -> None:
    async with listening(pool, return_paths, NO_COMPLAINTS) as client:
        replies = [await hand_over(client, address, COMPLAINT) for address in (ADDRESS, "none", "None@x.test")]

    assert {reply[:3] for reply in replies} == {"550"}
    assert await pool.fetchval("SELECT count(*) FROM delivery_reports") == 0


async def test_addresses_that_we_did_not_sign_are_refused_beside_it(pool: Pool, return_paths: ReturnPaths) -> None:
    forged = ReturnPaths("bounce.varsel.test", [b"x" * 32]).address_of(uuid4())
    async with listening(pool, return_paths) as client:
        replies = [await hand_over(client, address, COMPLAINT) for address in (forged, f"x{ADDRESS}", "complaints")]

    assert {reply[:3] for reply in replies} == {"550"}


@pytest.mark.parametrize("named_by", ["return path", "Message-ID"])
@pytest.mark.parametrize("before", [S.SENDING, S.SUCCEEDED, S.DELIVERED])
async def test_a_complaint_suppresses_for_good_for_that_owner_and_leaves_the_status(
    pool: Pool, return_paths: ReturnPaths, named_by: str, before: SendStatus
) -> None:
    _, notification_id = await notification_in(pool, before, recipient_address="Kari@etat.test")
    enclosed = {
        "return path": f"Return-Path: <{return_paths.address_of(notification_id)}>\n",
        "Message-ID": f"Message-ID: <{notification_id}@varsel.test>\n",
    }[named_by]

    async with listening(pool, return_paths) as client:
        reply = await hand_over(client, ADDRESS, complaint_of(enclosed))

    assert reply[:3] == "250"
    assert await suppressed(pool) == [("ttd", "kari@etat.test", "complaint", True)]
    assert await send_status_of(pool, notification_id) is before
    assert await pool.fetchval("SELECT notification_id FROM delivery_reports") == notification_id


async def test_a_complaint_with_a_forged_return_path_does_nothing(pool: Pool, return_paths: ReturnPaths) -> None:
    _, notification_id = await notification_in(pool, S.DELIVERED)
    forged = ReturnPaths("bounce.varsel.test", [b"x" * 32]).address_of(notification_id)

    async with listening(pool, return_paths) as client:
        await hand_over(client, ADDRESS, complaint_of(f"Return-Path: <{forged}>\n"))

    assert await suppressed(pool) == []
    assert await pool.fetchval("SELECT notification_id FROM delivery_reports") is None


@pytest.mark.parametrize("named_by", ["return path", "Message-ID"])
async def test_a_bounce_that_comes_to_it_changes_no_status_and_suppresses_nothing(
    pool: Pool, return_paths: ReturnPaths, named_by: str
) -> None:
    _, notification_id = await notification_in(pool, S.DELIVERED)
    enclosed = {
        "return path": f"Return-Path: <{return_paths.address_of(notification_id)}>\r\n",
        "Message-ID": f"Message-ID: <{notification_id}@varsel.test>\r\n",
    }[named_by]

    async with listening(pool, return_paths) as client:
        reply = await hand_over(client, ADDRESS, new_dsn(recipient_fields(), enclosed=enclosed.encode()).decode())

    assert reply[:3] == "250"
    assert await pool.fetchval("SELECT outcome FROM delivery_reports") == S.FAILED_BOUNCED
    assert await send_status_of(pool, notification_id) is S.DELIVERED
    assert await suppressed(pool) == []


async def test_more_than_so_many_a_minute_are_told_to_come_later(pool: Pool, return_paths: ReturnPaths) -> None:
    async with listening(pool, return_paths, ComplaintRules(ADDRESS, a_minute=2)) as client:
        replies = [await hand_over(client, ADDRESS, f"X-Number: {n}\r\n{COMPLAINT}") for n in range(4)]
        replies.append(await hand_over(client, return_paths.address_of(uuid4()), COMPLAINT))

    assert [reply[:3] for reply in replies] == ["250", "250", "452", "452", "250"]


@pytest.mark.parametrize(("too_much", "code"), [(0, "250"), (1, "552")])
async def test_no_complaint_is_larger_than_its_limit(
    pool: Pool, return_paths: ReturnPaths, too_much: int, code: str
) -> None:
    line = "x" * 998 + "\r\n"
    room = intake.COMPLAINT_LIMIT + too_much - len(COMPLAINT)
    content = COMPLAINT + line * (room // 1_000 - 1)
    content += "x" * (intake.COMPLAINT_LIMIT + too_much - len(content) - 2) + "\r\n"

    async with listening(pool, return_paths) as client:
        reply = await hand_over(client, ADDRESS, content)

    assert reply[:3] == code
    assert await pool.fetchval("SELECT count(*) FROM delivery_reports") == (code == "250")


async def test_complaints_that_match_nothing_fill_no_disk(
    pool: Pool, return_paths: ReturnPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "UNMATCHED_COMPLAINTS_LIMIT", 3)
    async with listening(pool, return_paths) as client:
        with capture_logs() as logs:
            replies = [await hand_over(client, ADDRESS, f"X-Number: {n}\r\n{COMPLAINT}") for n in range(4)]
        replies.append(await hand_over(client, return_paths.address_of(UUID(int=1)), COMPLAINT))

    assert [reply[:3] for reply in replies] == ["250", "250", "250", "452", "250"]
    assert [line["log_level"] for line in logs if "put off" in line["event"]] == ["error"]
    assert await pool.fetchval("SELECT count(*) FROM delivery_reports") == 4


async def greeting(clients: AsyncExitStack, port: int) -> tuple[RawClient, str]:
    client = await clients.enter_async_context(connected(port, hello=None))
    return client, (await client.reply())[:3]


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "all at once"])
async def test_a_connection_too_many_is_told_to_come_later_and_room_is_given_back(
    pool: Pool, return_paths: ReturnPaths, at_once: bool
) -> None:
    async with served(pool, return_paths) as port, AsyncExitStack() as clients:
        if at_once:
            greeted = await asyncio.gather(*(greeting(clients, port) for _ in range(CONNECTIONS_LIMIT + 5)))
        else:
            greeted = [await greeting(clients, port) for _ in range(CONNECTIONS_LIMIT + 5)]
        codes = [code for _, code in greeted]
        assert (codes.count("220"), codes.count("421")) == (CONNECTIONS_LIMIT, 5)
        assert {await client.reply() for client, code in greeted if code == "421"} == {""}  # and closed

        [leaving, *_] = [client for client, code in greeted if code == "220"]
        await leaving.ask("QUIT")
        assert await leaving.reply() == ""

        _, code = await greeting(clients, port)
        _, one_too_many = await greeting(clients, port)
        assert (code, one_too_many) == ("220", "421")
