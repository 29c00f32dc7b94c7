import asyncio
from datetime import timedelta

import aiosmtplib
import pytest

from tests.sandbox.smtp_client import connected, run
from varsel.sandbox.smtp_server import (
    DROP,
    EXTENSIONS,
    Answer,
    Envelope,
    Handler,
    Limits,
    Recipient,
    Reply,
    SmtpServer,
)


class Keeping(Handler):
    def __init__(self) -> None:
        self.taken: list[tuple[Envelope, bytes]] = []

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        self.taken.append((envelope, content))
        return None


class Scripted(Handler):
    """Gives one answer, at the step that is named."""

    def __init__(self, step: str, answer: Answer) -> None:
        self._answers = {step: answer}

    async def on_connect(self) -> Answer:
        return self._answers.get("connect")

    async def on_mail(self, envelope: Envelope) -> Answer:
        return self._answers.get("mail")

    async def on_recipient(self, envelope: Envelope, recipient: Recipient) -> Answer:
        return self._answers.get("recipient")

    async def on_data(self, envelope: Envelope) -> Answer:
        return self._answers.get("data")

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        return self._answers.get("message")


async def talk(handler: Handler, *commands: str, hello: str = "EHLO c", **settings: object) -> list[str]:
    async with (
        SmtpServer(handler, **settings) as server,  # type: ignore[arg-type]
        connected(server.port, hello=hello) as client,
    ):
        return await client.ask_all(*commands)


def codes(replies: list[str]) -> list[str]:
    return [reply[:3] for reply in replies]


def test_ehlo_offers_every_extension_with_the_size_limit() -> None:
    [reply] = run(talk(Handler(), "EHLO client.test"))

    assert reply.split("\n") == [
        "250-sandbox.test",
        "250-PIPELINING",
        "250-SIZE 30000000",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250-DSN",
        "250 ENHANCEDSTATUSCODES",
    ]


def test_only_the_chosen_extensions_are_offered() -> None:
    [reply] = run(talk(Handler(), "EHLO client.test", extensions=("8BITMIME",)))

    assert reply == "250-sandbox.test\n250 8BITMIME"


def test_helo_is_answered_in_one_line_and_brings_no_extensions() -> None:
    replies = run(talk(Handler(), "HELO c", "MAIL FROM:<a@b.test> RET=HDRS", "MAIL FROM:<a@b.test>"))

    assert replies[0] == "250 sandbox.test"
    assert codes(replies) == ["250", "555", "250"]


@pytest.mark.parametrize("verb", ["EHLO", "HELO"])
def test_a_greeting_without_a_name_is_a_syntax_error(verb: str) -> None:
    assert codes(run(talk(Handler(), verb))) == ["501"]


def test_a_client_of_a_library_can_deliver_with_every_dsn_parameter() -> None:
    handler, content = Keeping(), "Subject: Hei\r\n\r\n.\r\n..x\r\nblåbær\r\n".encode()

    async def deliver() -> None:
        async with SmtpServer(handler) as server:
            client = aiosmtplib.SMTP(hostname="127.0.0.1", port=server.port, start_tls=False)
            async with client:
                await client.sendmail(
                    "b+1@bounce.test",
                    ["ola@example.no"],
                    content,
                    mail_options=["RET=HDRS", "ENVID=n+2B1", "BODY=8BITMIME"],
                    rcpt_options=["NOTIFY=SUCCESS,FAILURE,DELAY", "ORCPT=rfc822;ola@example.no"],
                )

    run(deliver())

    [(envelope, taken)] = handler.taken
    assert taken == content
    assert envelope == Envelope(
        sender="b+1@bounce.test",
        recipients=(Recipient("ola@example.no", frozenset({"SUCCESS", "FAILURE", "DELAY"}), "rfc822;ola@example.no"),),
        envid="n+1",
        ret="HDRS",
    )


def test_pipelined_commands_are_answered_in_their_order() -> None:
    handler = Keeping()
    envelope = "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"

    async def pipeline() -> list[str]:
        async with SmtpServer(handler) as server, connected(server.port) as client:
            await client.send(envelope)
            replies = [await client.reply() for _ in range(3)]
            await client.send("one\r\n.\r\n" + envelope)
            replies += [await client.reply() for _ in range(4)]
            await client.send("two\r\n.\r\nRSET\r\nNOOP\r\nQUIT\r\n")
            return replies + [await client.reply() for _ in range(5)]

    replies = run(pipeline())

    of_envelope, of_dot = ["250", "250", "354"], ["250"]
    assert codes(replies) == [*of_envelope, *of_dot, *of_envelope, *of_dot, "250", "250", "221", ""]
    assert [content for _, content in handler.taken] == [b"one\r\n", b"two\r\n"]


def test_a_pipelining_client_whose_recipient_was_refused_gets_no_354() -> None:
    commands = ("MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "DATA")

    replies = run(talk(Scripted("recipient", Reply(550, "5.1.1 No such user")), *commands))

    assert replies == ["250 2.1.0 Ok", "550 5.1.1 No such user", "554 5.5.1 No valid recipients"]


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n..x\r\n.\r\n", b"..\r\n.x\r\n"),
        (b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n"),
        (b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n"),
        (b"a\r.\r\r\n.\r\n", b"a\r.\r\r\n"),
    ],
)
def test_only_a_dot_between_two_crlf_ends_a_message(sent: bytes, received: bytes) -> None:
    handler = Keeping()

    async def deliver(pieces: list[bytes]) -> None:
        async with SmtpServer(handler) as server, connected(server.port) as client:
            await client.ask_all("MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "DATA")
            for piece in pieces:
                await client.send(piece)
                await asyncio.sleep(0)
            assert (await client.reply())[:3] == "250"

    run(deliver([sent]))
    run(deliver([sent[at : at + 1] for at in range(len(sent))]))

    assert [content for _, content in handler.taken] == [received, received]


@pytest.mark.parametrize(
    ("hello", "commands", "expected"),
    [
        ("NOOP", ["MAIL FROM:<a@b.test>"], "503"),
        ("EHLO c", ["RCPT TO:<c@d.test>"], "503"),
        ("EHLO c", ["DATA"], "503"),
        ("EHLO c", ["MAIL FROM:<a@b.test>", "MAIL FROM:<a@b.test>"], "250 503"),
        ("EHLO c", ["MAIL FROM:<a@b.test>", "DATA"], "250 554"),
        ("EHLO c", ["MAIL FROM:<a@b.test>", "RSET", "RCPT TO:<c@d.test>"], "250 250 503"),
        ("EHLO c", ["MAIL FROM:<a@b.test>", "EHLO c", "RCPT TO:<c@d.test>"], "250 250 503"),
        ("EHLO c", ["FOO", "vrfy x", "noop", "rset", "quit"], "500 252 250 250 221"),
    ],
)
def test_commands_out_of_order_or_unknown_are_refused(hello: str, commands: list[str], expected: str) -> None:
    assert codes(run(talk(Handler(), *commands, hello=hello))) == expected.split()


def test_a_command_that_is_too_long_is_refused_and_the_next_one_understood() -> None:
    replies = run(talk(Handler(), "NOOP " + "x" * 200_000, "NOOP " + "x" * 2_044, "NOOP"))

    assert codes(replies) == ["500", "500", "250"]


def test_a_command_that_is_not_utf8_is_refused() -> None:
    async def send() -> str:
        async with SmtpServer(Handler()) as server, connected(server.port) as client:
            await client.send(b"NOOP \xe5\r\n")
            return await client.reply()

    assert run(send()) == "500 5.5.2 Not UTF-8"


@pytest.mark.parametrize("size", [1_001, 300_000])
def test_a_message_above_the_limit_is_refused_and_the_connection_goes_on(size: int) -> None:
    handler = Keeping()

    async def deliver() -> list[str]:
        limits = Limits(message=1_000)
        async with SmtpServer(handler, limits=limits) as server, connected(server.port) as client:
            too_large = await client.deliver("c@d.test", "x\r\n" * (size // 3 + 1))
            return [too_large, await client.deliver("c@d.test", "x\r\n")]

    replies = run(deliver())

    assert replies == ["552 5.3.4 Message size exceeds fixed limit", "250 2.0.0 Ok"]
    assert len(handler.taken) == 1


def test_a_text_line_above_998_octets_is_refused() -> None:
    async def deliver() -> list[str]:
        async with SmtpServer(Handler()) as server, connected(server.port) as client:
            return [await client.deliver("c@d.test", "x" * length + "\r\n") for length in (999, 998)]

    assert run(deliver()) == ["500 5.5.2 Line too long", "250 2.0.0 Ok"]


def test_recipients_above_the_limit_are_put_off() -> None:
    commands = ["MAIL FROM:<a@b.test>", "RCPT TO:<c@d.test>", "RCPT TO:<e@f.test>"]

    replies = run(talk(Handler(), *commands, limits=Limits(recipients=1)))

    assert replies[-1] == "452 4.5.3 Too many recipients"


@pytest.mark.parametrize("step", ["mail", "recipient", "data", "message"])
@pytest.mark.parametrize("answer", [Reply(451, "4.3.0 Later"), Reply(554, "5.7.1 No\nnever")])
def test_a_scripted_refusal_is_what_the_client_gets(step: str, answer: Reply) -> None:
    async def deliver() -> tuple[str, str]:
        async with SmtpServer(Scripted(step, answer)) as server, connected(server.port) as client:
            return await client.deliver("c@d.test"), await client.ask("NOOP")

    refusal, after = run(deliver())

    assert refusal == str(answer).replace("\r\n", "\n")
    assert after == "250 2.0.0 Ok"


@pytest.mark.parametrize("step", ["mail", "recipient", "data", "message"])
@pytest.mark.parametrize("answer", [DROP, Reply(421, "4.3.2 Shutting down")])
def test_a_dropped_or_dismissed_client_is_disconnected(step: str, answer: Answer) -> None:
    async def deliver() -> tuple[str, str]:
        async with SmtpServer(Scripted(step, answer)) as server, connected(server.port) as client:
            before = await client.deliver("c@d.test")
            return before, await client.reply()

    before, after = run(deliver())

    assert before == ("" if answer is DROP else "421 4.3.2 Shutting down")
    assert after == ""


@pytest.mark.parametrize("answer", [Reply(554, "5.3.2 No service"), Reply(421, "4.3.2 Later")])
def test_a_refused_connection_is_closed_after_the_reply(answer: Reply) -> None:
    async def connect() -> list[str]:
        handler = Scripted("connect", answer)
        async with SmtpServer(handler) as server, connected(server.port, hello=None) as client:
            return await client.replies_until_closed()

    assert run(connect()) == [str(answer)]


def test_a_positive_reply_of_the_handler_replaces_the_usual_one() -> None:
    async def deliver() -> str:
        handler = Scripted("message", Reply(250, "2.0.0 Ok: queued as 4F"))
        async with SmtpServer(handler) as server, connected(server.port) as client:
            return await client.deliver("c@d.test")

    assert run(deliver()) == "250 2.0.0 Ok: queued as 4F"


def test_an_idle_client_is_dismissed() -> None:
    async def wait() -> list[str]:
        limits = Limits(idle=timedelta(milliseconds=10))
        async with SmtpServer(Handler(), limits=limits) as server, connected(server.port, hello=None) as client:
            return await client.replies_until_closed()

    assert run(wait())[1:] == ["421 4.4.2 Idle for too long"]


def test_a_handler_that_fails_costs_its_client_the_connection_only() -> None:
    class Broken(Handler):
        async def on_mail(self, envelope: Envelope) -> Answer:
            raise RuntimeError("broken")

    async def deliver() -> list[str]:
        async with SmtpServer(Broken()) as server:
            async with connected(server.port) as first:
                failed = await first.deliver("c@d.test")
            async with connected(server.port) as second:
                return [failed, await second.ask("NOOP")]

    assert run(deliver()) == ["", "250 2.0.0 Ok"]


def test_hundreds_of_clients_are_served_at_once() -> None:
    everyone = 300

    class Together(Keeping):
        """Answers nobody before all have sent their message."""

        def __init__(self) -> None:
            super().__init__()
            self.all_here = asyncio.Event()

        async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
            await super().on_message(envelope, content)
            if len(self.taken) == everyone:
                self.all_here.set()
            await self.all_here.wait()
            return None

    async def deliver(port: int) -> str:
        async with connected(port) as client:
            return await client.deliver("c@d.test")

    async def crowd() -> list[str]:
        async with SmtpServer(Together()) as server:
            return await asyncio.gather(*(deliver(server.port) for _ in range(everyone)))

    assert set(run(crowd())) == {"250 2.0.0 Ok"}


@pytest.mark.parametrize("sent", ["", "MAIL FR", "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nhalf"])
def test_a_stopping_server_closes_the_connections_that_are_open(sent: str) -> None:
    async def stop() -> tuple[list[str], int]:
        server = SmtpServer(Handler())
        await server.start()
        async with connected(server.port) as client:
            await client.send(sent)
            await server.stop()
            await server.stop()
            replies = await client.replies_until_closed()
        return replies, len(asyncio.all_tasks())

    replies, tasks = run(stop())

    assert set(codes(replies)) <= {"250", "354"}
    assert tasks <= 2  # this test and its time limit


def test_a_server_that_has_stopped_can_start_again_on_its_port() -> None:
    async def restart() -> tuple[int, int, str]:
        server = SmtpServer(Handler())
        async with server:
            before = server.port
        async with server, connected(server.port) as client:
            return before, server.port, await client.ask("NOOP")

    before, after, reply = run(restart())

    assert before == after
    assert reply == "250 2.0.0 Ok"


def test_no_extension_is_offered_twice() -> None:
    assert len(set(EXTENSIONS)) == len(EXTENSIONS)
