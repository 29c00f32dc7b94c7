"""The listener as relays meet it: who is let in, when it says 250, and what it says when it cannot."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from tests.delivery_reports.samples import new_dsn, recipient_fields
from tests.factories import notification_in, send_status_of
from tests.sandbox.smtp_client import RawClient, connected
from varsel.database.connect import Pool
from varsel.delivery_reports.conversation import KEPT_LIMIT
from varsel.delivery_reports.intake import ReportIntake
from varsel.delivery_reports.record import ReportRules
from varsel.mail_server import MailServer, Scheme
from varsel.notifications.send_status import SendStatus
from varsel.transports.return_path import ReturnPaths

S = SendStatus
LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure
BOUNCED = new_dsn(recipient_fields()).decode()
TRY_AGAIN = "451 4.3.0 Try again later"


@asynccontextmanager
async def listening(pool: Pool, return_paths: ReturnPaths, scheme: Scheme = "lmtp") -> AsyncIterator[RawClient]:
    """A client that has greeted the listener."""
    server = await ReportIntake(pool, ReportRules(return_paths)).listen(MailServer(scheme, "127.0.0.1", 0))
    hello = f"{'LHLO' if scheme == 'lmtp' else 'EHLO'} relay.test"
    async with asyncio.timeout(LIMIT), connected(server.sockets[0].getsockname()[1], hello=hello) as client:
        yield client
    server.close()


async def hand_over(client: RawClient, return_path: str, content: str = BOUNCED) -> str:
    """The reply to the final dot, or the first one before it that is negative."""
    for command in ("MAIL FROM:<>", f"RCPT TO:<{return_path}>", "DATA"):
        reply = await client.ask(command)
        if reply[:1] not in ("2", "3"):
            return reply
    return await client.ask(f"{content}.")


@pytest.mark.parametrize("scheme", ["lmtp", "smtp"])
async def test_a_report_to_a_return_path_of_ours_is_taken(
    pool: Pool, return_paths: ReturnPaths, scheme: Scheme
) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)

    async with listening(pool, return_paths, scheme) as client:
        reply = await hand_over(client, return_paths.address_of(notification_id))

        assert reply == "250 2.0.0 Report taken"
        assert await send_status_of(pool, notification_id) is S.FAILED_BOUNCED


async def test_the_report_is_kept_to_the_byte(pool: Pool, return_paths: ReturnPaths) -> None:
    notification_id = uuid4()
    content = BOUNCED + ".\r\n..\r\nblåbær\r\n\r\n"

    async with listening(pool, return_paths) as client:
        await hand_over(client, return_paths.address_of(notification_id), content.replace("\r\n.", "\r\n.."))

    assert await pool.fetchval("SELECT content FROM delivery_reports") == content.encode()


async def test_one_connection_carries_many_reports(pool: Pool, return_paths: ReturnPaths) -> None:
    async with listening(pool, return_paths) as client:
        replies = [await hand_over(client, return_paths.address_of(uuid4())) for _ in range(3)]

    assert {reply[:3] for reply in replies} == {"250"}
    assert await pool.fetchval("SELECT count(*) FROM delivery_reports") == 3


async def test_a_return_path_in_capitals_is_ours_too(pool: Pool, return_paths: ReturnPaths) -> None:
    async with listening(pool, return_paths) as client:
        reply = await hand_over(client, return_paths.address_of(uuid4()).upper())

    assert reply[:3] == "250"


@pytest.mark.parametrize("scheme", ["lmtp", "smtp"])
async def test_an_address_that_we_did_not_sign_is_refused_at_once(
    pool: Pool, return_paths: ReturnPaths, scheme: Scheme
) -> None:
    forged = ReturnPaths("bounce.varsel.test", [b"x" * 32]).address_of(uuid4())
    elsewhere = ReturnPaths("bounce.else.test", [b"x" * 32]).address_of(uuid4())
    async with listening(pool, return_paths, scheme) as client:
        await client.ask("MAIL FROM:<>")

        replies = await client.ask_all(
            *(
                f"RCPT TO:<{address}>"
                for address in (forged, elsewhere, "postmaster@bounce.varsel.test", "kari@etat.test")
            )
        )

        assert {reply[:3] for reply in replies} == {"550"}
        assert (await client.ask("DATA"))[:1] == "5"
    assert await pool.fetchval("SELECT count(*) FROM delivery_reports") == 0


async def test_a_second_recipient_is_put_off(pool: Pool, return_paths: ReturnPaths) -> None:
    first, second = return_paths.address_of(uuid4()), return_paths.address_of(uuid4())
    async with listening(pool, return_paths) as client:
        replies = await client.ask_all("MAIL FROM:<>", f"RCPT TO:<{first}>", f"RCPT TO:<{second}>", "DATA")
        replies.append(await client.ask(f"{BOUNCED}."))

    assert [reply[:3] for reply in replies] == ["250", "250", "452", "354", "250"]
    assert await pool.fetchval("SELECT count(*) FROM delivery_reports") == 1


async def test_a_refused_recipient_does_not_spoil_the_right_one(pool: Pool, return_paths: ReturnPaths) -> None:
    async with listening(pool, return_paths) as client:
        await client.ask_all("MAIL FROM:<>", "RCPT TO:<kari@etat.test>")
        replies = await client.ask_all(f"RCPT TO:<{return_paths.address_of(uuid4())}>", "DATA")

        replies.append(await client.ask(f"{BOUNCED}."))

    assert [reply[:3] for reply in replies] == ["250", "354", "250"]


async def test_the_relay_hears_250_only_after_the_commit(pool: Pool, dsn: str, return_paths: ReturnPaths) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)
    async with listening(pool, return_paths) as client:
        conn = await asyncpg.connect(dsn)
        async with conn.transaction():
            await conn.execute("SELECT FROM notifications FOR UPDATE")  # so that nothing can be recorded
            answer = asyncio.create_task(hand_over(client, return_paths.address_of(notification_id)))
            await until_a_backend_waits(conn)

            assert not answer.done()
        await conn.close()
        assert (await answer)[:3] == "250"
        assert await send_status_of(pool, notification_id) is S.FAILED_BOUNCED


async def until_a_backend_waits(conn: "asyncpg.Connection[asyncpg.Record]") -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not await conn.fetchval(waiting):
        # Within a transaction the view stands still until it is told otherwise.
        await conn.execute("SELECT pg_stat_clear_snapshot()")


@pytest.mark.parametrize("scheme", ["lmtp", "smtp"])
async def test_while_the_database_is_away_the_relay_keeps_the_report(
    pool: Pool, return_paths: ReturnPaths, scheme: Scheme
) -> None:
    async with listening(pool, return_paths, scheme) as client:
        pool.terminate()

        with capture_logs():
            replies = [await hand_over(client, return_paths.address_of(uuid4())) for _ in range(2)]

    assert replies == [TRY_AGAIN] * 2


async def test_a_report_that_was_put_off_counts_when_it_comes_again(pool: Pool, return_paths: ReturnPaths) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)
    async with listening(pool, return_paths) as client:
        await pool.execute("ALTER TABLE delivery_reports RENAME TO away")
        try:
            with capture_logs():
                first = await hand_over(client, return_paths.address_of(notification_id))
        finally:
            await pool.execute("ALTER TABLE away RENAME TO delivery_reports")

        second = await hand_over(client, return_paths.address_of(notification_id))

    assert (first, second[:3]) == (TRY_AGAIN, "250")
    assert await send_status_of(pool, notification_id) is S.FAILED_BOUNCED


async def test_a_report_is_taken_however_it_is_broken(pool: Pool, return_paths: ReturnPaths) -> None:
    contents = ["\r\n", "no header\r\n", "\0\r\n", f"Subject: {'x' * 20_000}\r\n\r\n", "Content-Type: æ\r\n\r\n"]
    async with listening(pool, return_paths) as client:
        replies = [await hand_over(client, return_paths.address_of(UUID(int=n)), c) for n, c in enumerate(contents)]

    assert [reply[:3] for reply in replies] == ["250"] * len(contents)
    assert await pool.fetchval("SELECT count(*) FROM delivery_reports WHERE outcome = 'none'") == len(contents)


LARGE = 12 * 1024 * 1024  # bytes; beyond what is kept


@pytest.mark.parametrize(
    "filler",
    ["x" * LARGE, "x\r\n" * (LARGE // 3), "\r\n" * (LARGE // 2), "x\r" * (LARGE // 2), "..\r\n" * (LARGE // 4)],
    ids=["one line", "short lines", "blank lines", "CR only", "lines of stuffed dots"],
)
async def test_a_report_of_any_size_is_taken_by_its_beginning_and_the_next_one_too(
    pool: Pool, return_paths: ReturnPaths, filler: str
) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)

    async with listening(pool, return_paths) as client:
        large = await hand_over(client, return_paths.address_of(notification_id), f"{BOUNCED}\r\n{filler}\r\n")
        small = await hand_over(client, return_paths.address_of(uuid4()))

    assert (large[:3], small[:3]) == ("250", "250")
    assert await send_status_of(pool, notification_id) is S.FAILED_BOUNCED
    kept = await pool.fetchval("SELECT max(octet_length(content)) FROM delivery_reports")
    assert kept <= KEPT_LIMIT


async def test_a_relay_that_says_how_large_the_report_is_may_send_it(pool: Pool, return_paths: ReturnPaths) -> None:
    async with listening(pool, return_paths) as client:
        assert (await client.ask(f"MAIL FROM:<> SIZE={LARGE}"))[:3] == "250"


async def test_an_empty_report_ends_at_once(pool: Pool, return_paths: ReturnPaths) -> None:
    async with listening(pool, return_paths) as client:
        reply = await hand_over(client, return_paths.address_of(uuid4()), "")

    assert reply[:3] == "250"
    assert await pool.fetchval("SELECT content FROM delivery_reports") == b""


@pytest.mark.parametrize("sent", ["..\r\n", "...x\r\n", "a\r\n..\r\n\r\n..b\r\n"])
async def test_dots_are_unstuffed_from_the_first_line_on(pool: Pool, return_paths: ReturnPaths, sent: str) -> None:
    async with listening(pool, return_paths) as client:
        await hand_over(client, return_paths.address_of(uuid4()), sent)

    expected = "".join(line.removeprefix(".") for line in sent.splitlines(keepends=True))
    assert await pool.fetchval("SELECT content FROM delivery_reports") == expected.encode()


async def test_a_client_that_does_not_wait_for_our_answer_gets_all_of_them(
    pool: Pool, return_paths: ReturnPaths
) -> None:
    async with listening(pool, return_paths) as client:
        for command in ("MAIL FROM:<>", f"RCPT TO:<{return_paths.address_of(uuid4())}>", "DATA"):
            await client.ask(command)
        replies = [await client.ask("Subject: x\r\n\r\nbody\r\n.\r\nVRFY <x@y.test>"), await client.ask("NOOP")]

    assert replies[0] == "250 2.0.0 Report taken"
    assert replies[1][:3] == "252"


async def answers_to(client: RawClient, *commands: str) -> list[str]:
    """Send the commands in one go."""
    await client.send("".join(f"{command}\r\n" for command in commands))
    return [(await client.reply())[:3] for _ in commands]


@pytest.mark.parametrize("scheme", ["lmtp", "smtp"])
async def test_commands_that_come_together_are_each_answered_in_their_order(
    pool: Pool, return_paths: ReturnPaths, scheme: Scheme
) -> None:
    ours = f"RCPT TO:<{return_paths.address_of(uuid4())}>"
    async with listening(pool, return_paths, scheme) as client:
        assert "PIPELINING" in await client.ask("LHLO again.test" if scheme == "lmtp" else "EHLO again.test")

        first = await answers_to(client, "MAIL FROM:<>", ours, "DATA")
        second = await answers_to(client, f"{BOUNCED}.", "MAIL FROM:<>", "RCPT TO:<kari@etat.test>", ours, ours, "DATA")
        third = await answers_to(client, ".", "MAIL FROM:<>", "RCPT TO:<kari@etat.test>", "DATA", "RSET", "QUIT")

    assert first == ["250", "250", "354"]
    assert second == ["250", "250", "550", "250", "452", "354"]
    assert third == ["250", "250", "550", "503", "250", "221"]


async def test_of_commands_of_which_the_last_is_not_whole_all_before_it_are_answered(
    pool: Pool, return_paths: ReturnPaths
) -> None:
    async with listening(pool, return_paths) as client:
        await client.send("MAIL FROM:<>\r\nRCPT TO:<")

        assert (await client.reply())[:3] == "250"


@pytest.mark.parametrize(
    ("path", "reply"),
    [
        ("<> SIZE=100 BODY=8BITMIME", "250"),
        ("<MAILER-DAEMON@mx.etat.test>", "250"),
        ('<"a b"@etat.test>', "250"),
        ("<kari@[192.0.2.1]>", "250"),
        ("<> SIZE=many", "501"),
        ("<> NO=SUCH", "555"),
        ("<@>", "553"),
        ("<æ@etat.test> SMTPUTF8", "250"),
    ],
)
async def test_a_sender_may_be_whatever_the_rfc_allows(
    pool: Pool, return_paths: ReturnPaths, path: str, reply: str
) -> None:
    async with listening(pool, return_paths) as client:
        assert (await client.ask(f"MAIL FROM:{path}"))[:3] == reply


async def test_a_relay_that_hangs_up_half_way_leaves_nothing(pool: Pool, return_paths: ReturnPaths) -> None:
    async with listening(pool, return_paths) as client:
        await client.ask_all("MAIL FROM:<>", f"RCPT TO:<{return_paths.address_of(uuid4())}>", "DATA")
        await client.send(BOUNCED)

    assert await pool.fetchval("SELECT count(*) FROM delivery_reports") == 0
