"""Envelopes in one write, and ahead of the answer for the mail before: what is gained, and that no mail is lost."""

import asyncio

import pytest

from tests.transports.played_relay import GO_ON, OK, PIPELINING, TAKEN, PlayedRelay, Talk, played_relay, settle
from tests.transports.raw_relay import LIMIT, new_mail, transport_to
from varsel.transports import connections, smtp
from varsel.transports.smtp import SmtpTransport
from varsel.transports.transport import Accepted, Deferred, InDoubt, Outcome, Rejected, Unreachable
from varsel.transports.trouble import NotReached, Trouble

KARI, OLA, PER = "kari@sandbox.test", "ola@sandbox.test", "per@sandbox.test"
WITHOUT = ("DSN",)
NEVER, LATER, CLOSING = "550 5.1.1 No such user", "451 4.3.0 Later", "421 4.3.2 Shutting down"
NO_RECIPIENTS = "554 5.5.1 No valid recipients"

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every relay counts as quick, however loaded the machine is; and at the end nobody waits for a goodbye."""
    monkeypatch.setattr(connections, "QUICK", LIMIT)
    monkeypatch.setattr(connections, "GOODBYE_TIMEOUT", 0.01)


def submitting(transport: SmtpTransport, address: str, *, by: float | None = None) -> "asyncio.Task[Outcome]":
    return asyncio.create_task(_submit(transport, address, by))


async def _submit(transport: SmtpTransport, address: str, by: float | None) -> Outcome:
    return await transport.submit(new_mail(address), by=by)


async def first_mail(talk: Talk, submitted: "asyncio.Task[Outcome]") -> None:
    """Take the first mail on a connection, by which the relay shows how quick it is."""
    await talk.take_mail()
    assert isinstance(await submitted, Accepted)


# One mail.


async def test_with_pipelining_the_whole_envelope_comes_before_any_reply() -> None:
    async with played_relay() as relay, transport_to(relay.port) as transport:
        submitted = submitting(transport, KARI)
        talk = await relay.pick_up()

        envelope = [await talk.hear() for _ in range(3)]

        talk.say(OK, OK, GO_ON)
        await talk.hear_message()
        talk.say(TAKEN)
        assert isinstance(await submitted, Accepted)
    assert envelope[0].startswith("MAIL FROM:<b+1@bounce.test>")
    assert envelope[1].startswith(f"RCPT TO:<{KARI}>")
    assert envelope[2] == "DATA"


@pytest.mark.parametrize("refused", [0, 1, 2])
async def test_without_pipelining_nothing_is_said_after_a_command_that_was_refused(refused: int) -> None:
    async with played_relay(WITHOUT) as relay, transport_to(relay.port) as transport:
        submitted = submitting(transport, KARI)
        talk = await relay.pick_up()
        for reply in [OK] * refused:
            await talk.hear()
            talk.say(reply)
        await talk.hear()

        talk.say(NEVER)

        assert await talk.hear() == "RSET"
        talk.say(OK)
        assert isinstance(await submitted, Rejected)


async def test_without_pipelining_a_mail_is_taken_step_by_step() -> None:
    async with played_relay(WITHOUT) as relay, transport_to(relay.port) as transport:
        submitted = submitting(transport, KARI)
        talk = await relay.pick_up()
        heard = []
        for reply in (OK, OK, GO_ON):
            heard.append(await talk.hear())
            await settle()
            talk.say(reply)
        await talk.hear_message()
        talk.say(TAKEN)

        outcome = await submitted

    assert [line[:4] for line in heard] == ["MAIL", "RCPT", "DATA"]
    assert isinstance(outcome, Accepted)


@pytest.mark.parametrize("at_the_dot", [NO_RECIPIENTS, TAKEN, LATER])
@pytest.mark.parametrize(("refusal", "kind"), [(NEVER, Rejected), (LATER, Deferred)])
async def test_a_refused_recipient_is_never_mailed_though_data_was_taken(
    refusal: str, kind: type[Outcome], at_the_dot: str
) -> None:
    async with played_relay() as relay, transport_to(relay.port) as transport:
        submitted = submitting(transport, KARI)
        talk = await relay.pick_up()
        await talk.hear_envelope()
        talk.say(OK, refusal, GO_ON)

        message = await talk.hear()

        talk.say(at_the_dot)
        assert await talk.hear() == "RSET"
        talk.say(OK)
        assert isinstance(await submitted, kind)
        next_one = submitting(transport, OLA)
        assert f"<{OLA}>" in await talk.take_mail()
        assert isinstance(await next_one, Accepted)
    assert message == "."
    assert relay.calls == 1


async def test_a_relay_that_is_lost_after_it_refused_the_recipient_has_refused_it() -> None:
    async with played_relay() as relay, transport_to(relay.port) as transport:
        submitted = submitting(transport, KARI)
        talk = await relay.pick_up()
        await talk.hear_envelope()

        talk.say(OK, NEVER)
        talk.hang_up()

        outcome = await submitted
    assert isinstance(outcome, Rejected)
    assert outcome.reply == NEVER


@pytest.mark.parametrize(("refusal", "kind"), [(NEVER, Rejected), (LATER, Deferred)])
@pytest.mark.parametrize("others", [("503 5.5.1 MAIL first", "503 5.5.1 RCPT first"), (OK, NO_RECIPIENTS)])
async def test_where_the_sender_is_refused_that_reply_counts(
    refusal: str, kind: type[Outcome], others: tuple[str, str]
) -> None:
    async with played_relay() as relay, transport_to(relay.port) as transport:
        submitted = submitting(transport, KARI)
        talk = await relay.pick_up()
        await talk.hear_envelope()

        talk.say(refusal, *others)

        assert await talk.hear() == "RSET"
        talk.say(OK)
        outcome = await submitted
        next_one = submitting(transport, OLA)
        await talk.take_mail()
        assert isinstance(await next_one, Accepted)
    assert isinstance(outcome, kind)
    assert outcome.reply == refusal
    assert relay.calls == 1


@pytest.mark.parametrize("extensions", [PIPELINING, WITHOUT])
async def test_replies_may_come_byte_by_byte_and_in_many_lines(extensions: tuple[str, ...]) -> None:
    taken = ("250-2.0.0 Ok", "250-2.0.0 queued as", "250 2.0.0 4F0A")
    async with played_relay(extensions) as relay, transport_to(relay.port) as transport:
        submitted = submitting(transport, KARI)
        talk = await relay.pick_up()
        for replies in [("250-2.1.0 Ok", "250 2.1.0 indeed"), ("250-", "250 2.1.5 Ok"), ("354-Go", "354 on")]:
            await talk.hear()
            await talk.say_by_bytes(*replies)
        await talk.hear_message()
        await talk.say_by_bytes(*taken)

        outcome = await submitted

    assert isinstance(outcome, Accepted)
    assert outcome.reply == "250 2.0.0 Ok\n2.0.0 queued as\n2.0.0 4F0A"


@pytest.mark.parametrize("at", range(3))
async def test_421_in_the_envelope_sends_the_next_mail_elsewhere(at: int) -> None:
    async with played_relay() as relay, transport_to(relay.port) as transport:
        submitted = submitting(transport, KARI)
        talk = await relay.pick_up()
        await talk.hear_envelope()
        talk.say(*[OK] * at, CLOSING)
        talk.hang_up()
        outcome = await submitted

        next_one = submitting(transport, OLA)

        await (await relay.pick_up()).take_mail()
        assert isinstance(await next_one, Accepted)
    assert isinstance(outcome, NotReached)
    assert outcome.reply == CLOSING


# The next mail's envelope, ahead of the answer.


async def test_a_quick_relay_gets_the_next_envelope_before_it_has_answered() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = submitting(transport, KARI), submitting(transport, OLA)
        assert f"<{KARI}>" in await talk.hear_envelope()
        talk.say(OK, OK, GO_ON)
        await talk.hear_message()

        ahead = await talk.hear_envelope()

        assert not first.done()
        talk.say("250 2.0.0 Ok: first", OK, OK, GO_ON)
        await talk.hear_message()
        talk.say("250 2.0.0 Ok: second")
        assert [(await task).reply for task in (first, second)] == ["250 2.0.0 Ok: first", "250 2.0.0 Ok: second"]
    assert f"<{OLA}>" in ahead
    assert relay.calls == 1


async def test_a_mail_that_comes_while_the_answer_is_awaited_goes_ahead_too() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first = submitting(transport, KARI)
        await talk.hear_envelope()
        talk.say(OK, OK, GO_ON)
        await talk.hear_message()

        second = submitting(transport, OLA)

        assert f"<{OLA}>" in await talk.hear_envelope()
        talk.say(TAKEN, OK, OK, GO_ON)
        await talk.hear_message()
        talk.say(TAKEN)
        assert all(isinstance(outcome, Accepted) for outcome in await asyncio.gather(first, second))


async def test_only_one_envelope_goes_ahead() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = await ahead(talk, transport)
        third = submitting(transport, PER)
        await settle()

        talk.say(CLOSING)

        assert await talk.hear_the_rest() == b""
        for task in (second, third):
            task.cancel()
        await asyncio.wait({first, second, third})


@pytest.mark.parametrize(("extensions", "limit"), [(PIPELINING, 0.0), (WITHOUT, LIMIT)], ids=["slow", "no pipelining"])
async def test_others_get_no_envelope_before_they_have_answered(
    extensions: tuple[str, ...], limit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "QUICK", limit)
    async with played_relay(extensions) as relay, transport_to(relay.port, connections=1) as transport:
        tasks = [submitting(transport, address) for address in (PER, KARI, OLA)]
        talk = await relay.pick_up()
        for final in (TAKEN, CLOSING):
            for reply in (OK, OK, GO_ON):
                await talk.hear()
                talk.say(reply)
            await talk.hear_message()
            await settle()
            talk.say(final)

        rest = await talk.hear_the_rest()

        for task in tasks[2:]:
            task.cancel()
        await asyncio.wait(tasks)
    assert rest == b""


async def test_on_the_last_mail_of_a_connection_no_envelope_goes_ahead() -> None:
    async with (
        played_relay() as relay,
        transport_to(relay.port, connections=1, mails_a_connection=2) as transport,
    ):
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = submitting(transport, KARI), submitting(transport, OLA)
        await talk.take_mail()

        heard = await talk.hear()

        talk.say("221 2.0.0 Bye")
        talk.hang_up()
        another = await relay.pick_up()
        assert f"<{OLA}>" in await another.take_mail()
        assert all(isinstance(outcome, Accepted) for outcome in await asyncio.gather(first, second))
    assert heard == "QUIT"


async def test_no_connection_carries_more_mails_than_allowed_however_envelopes_go_ahead() -> None:
    async with (
        played_relay() as relay,
        transport_to(relay.port, connections=1, mails_a_connection=3) as transport,
    ):
        tasks = [submitting(transport, f"kari+{number}@sandbox.test") for number in range(7)]

        taken = []
        for mails in (3, 3, 1):
            talk = await relay.pick_up()
            for _ in range(mails):
                await talk.take_mail()
            taken.append(mails)
            if mails == 3:
                assert await talk.hear() == "QUIT"
                talk.say("221 2.0.0 Bye")

        assert all(isinstance(outcome, Accepted) for outcome in await asyncio.gather(*tasks))
    assert relay.calls == 3


# What goes wrong while an envelope is ahead.


async def ahead(relay_talk: Talk, transport: SmtpTransport) -> "tuple[asyncio.Task[Outcome], asyncio.Task[Outcome]]":
    """A mail that was sent and awaits its answer, and one whose envelope went ahead."""
    first, second = submitting(transport, KARI), submitting(transport, OLA)
    await relay_talk.hear_envelope()
    relay_talk.say(OK, OK, GO_ON)
    await relay_talk.hear_message()
    await relay_talk.hear_envelope()
    return first, second


async def test_a_relay_that_closes_leaves_the_sent_mail_in_doubt_and_the_one_ahead_to_another_connection() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = await ahead(talk, transport)

        talk.hang_up()

        another = await relay.pick_up()
        assert f"<{OLA}>" in await another.take_mail()
        assert isinstance(await first, InDoubt)
        assert isinstance(await second, Accepted)
        await transport.close()
        assert await another.hear() == "QUIT"
    assert relay.calls == 2


async def test_a_connection_that_two_mails_lost_makes_room_for_one() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = await ahead(talk, transport)
        talk.hang_up()
        another = await relay.pick_up()
        await another.hear_envelope()

        third = submitting(transport, PER)

        another.say(OK, OK, GO_ON)
        await another.hear_message()
        another.say(TAKEN)
        assert f"<{PER}>" in await another.take_mail()
        assert [type(outcome) for outcome in await asyncio.gather(first, second, third)] == [
            InDoubt,
            Accepted,
            Accepted,
        ]
    assert relay.calls == 2


async def test_a_relay_that_closes_after_its_answer_loses_nothing() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = await ahead(talk, transport)

        talk.say(TAKEN)
        talk.hang_up()

        another = await relay.pick_up()
        assert f"<{OLA}>" in await another.take_mail()
        assert isinstance(await first, Accepted)
        assert isinstance(await second, Accepted)


async def test_421_to_the_message_sends_the_mail_ahead_elsewhere() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = await ahead(talk, transport)

        talk.say(CLOSING)

        assert await talk.hear_the_rest() == b""
        assert f"<{OLA}>" in await (await relay.pick_up()).take_mail()
        assert isinstance(await first, Deferred)
        assert isinstance(await second, Accepted)


async def test_a_mail_ahead_that_nothing_was_sent_of_is_not_in_doubt_though_the_relay_said_354() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = await ahead(talk, transport)

        talk.say(CLOSING, OK, OK, GO_ON)

        assert await talk.hear_the_rest() == b""
        assert isinstance(await first, Deferred)
        await answer_calls_until(second, relay)
        assert isinstance(await second, Accepted)


async def test_a_mail_that_nothing_was_sent_of_is_not_in_doubt() -> None:
    async with played_relay() as relay, transport_to(relay.port) as transport:
        submitted = submitting(transport, KARI)
        talk = await relay.pick_up()
        await talk.hear_envelope()

        talk.say(OK, OK, GO_ON, CLOSING)

        assert await talk.hear_the_rest() == b""
        assert isinstance(await submitted, Unreachable)


async def answer_calls_until(submitted: "asyncio.Task[Outcome]", relay: PlayedRelay) -> None:
    """Take the mail on another connection, if it comes there before it is given up."""
    call = asyncio.create_task(relay.pick_up())
    await asyncio.wait({submitted, call}, timeout=LIMIT, return_when=asyncio.FIRST_COMPLETED)
    if call.done():
        await call.result().take_mail()
    call.cancel()


@pytest.mark.parametrize(("final", "kind"), [(TAKEN, Accepted), (NEVER, Rejected), (CLOSING, Deferred)])
async def test_when_the_mail_ahead_is_cancelled_the_one_before_still_gets_its_answer(
    final: str, kind: type[Outcome]
) -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = await ahead(talk, transport)
        second.cancel()
        await asyncio.wait({second})

        talk.say(final)

        assert isinstance(await first, kind)
        assert await talk.hear_the_rest() == b""  # and no message after an envelope whose mail is given up
        next_one = submitting(transport, PER)
        assert f"<{PER}>" in await (await relay.pick_up()).take_mail()
        assert isinstance(await next_one, Accepted)
    assert second.cancelled()


async def test_when_the_mail_before_is_cancelled_the_one_ahead_goes_elsewhere() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = await ahead(talk, transport)

        first.cancel()

        another = await relay.pick_up()
        assert f"<{OLA}>" in await another.take_mail()
        assert isinstance(await second, Accepted)


@pytest.mark.parametrize(("refusal", "kind"), [(NEVER, Rejected), (LATER, Deferred)])
async def test_when_the_mail_before_is_refused_the_one_ahead_is_taken_all_the_same(
    refusal: str, kind: type[Outcome]
) -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = await ahead(talk, transport)

        talk.say(refusal, OK, OK, GO_ON)

        await talk.hear_message()
        talk.say(TAKEN)
        assert isinstance(await first, kind)
        assert isinstance(await second, Accepted)
    assert relay.calls == 1


async def test_a_refused_envelope_ahead_costs_the_mail_before_nothing() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = await ahead(talk, transport)

        talk.say(TAKEN, OK, NEVER, GO_ON)

        assert await talk.hear() == "."
        talk.say(NO_RECIPIENTS)
        assert await talk.hear() == "RSET"
        talk.say(OK)
        assert isinstance(await first, Accepted)
        assert isinstance(await second, Rejected)
        next_one = submitting(transport, PER)
        await talk.take_mail()
        assert isinstance(await next_one, Accepted)
    assert relay.calls == 1


async def test_an_address_that_the_relay_cannot_take_is_refused_while_the_mail_before_awaits_its_answer() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first, second = submitting(transport, KARI), submitting(transport, "ærlig@sandbox.test")
        await talk.hear_envelope()
        talk.say(OK, OK, GO_ON)
        await talk.hear_message()

        assert isinstance(await second, Rejected)

        third = submitting(transport, OLA)
        await settle()
        talk.say(TAKEN)
        assert isinstance(await first, Accepted)
        assert f"<{OLA}>" in await talk.take_mail()
        assert isinstance(await third, Accepted)
    assert relay.calls == 1


# Connections that nobody uses, and connections that cannot be used.


async def test_an_unsolicited_421_on_an_idle_connection_loses_nothing() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        talk.say("421 4.4.2 Idle for too long")
        assert await talk.hear_the_rest() == b""

        submitted = submitting(transport, KARI)

        assert f"<{KARI}>" in await (await relay.pick_up()).take_mail()
        assert isinstance(await submitted, Accepted)


async def test_an_unsolicited_reply_is_not_taken_for_an_answer_to_the_next_mail() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        talk.say(NEVER, NEVER)
        assert await talk.hear_the_rest() == b""

        submitted = submitting(transport, KARI)

        await (await relay.pick_up()).take_mail()
        assert isinstance(await submitted, Accepted)


@pytest.mark.parametrize("address", ["kari @sandbox.test", "kari@sandbox.test>", "kari@sandbox.test\r\nDATA"])
async def test_an_address_that_cannot_be_written_costs_the_next_mail_nothing(address: str) -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        with pytest.raises(ValueError, match="address"):
            await transport.submit(new_mail(address))

        submitted = submitting(transport, KARI)

        assert f"<{KARI}>" in await talk.take_mail()
        assert isinstance(await submitted, Accepted)
    assert relay.calls == 1


# Time.


async def test_a_relay_that_does_not_answer_for_the_message_leaves_it_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "DATA_TIMEOUT", 0.05)
    async with played_relay() as relay, transport_to(relay.port) as transport:
        submitted = submitting(transport, KARI)
        talk = await relay.pick_up()
        await talk.hear_envelope()
        talk.say(OK, OK, GO_ON)
        await talk.hear_message()

        outcome = await submitted

    assert isinstance(outcome, InDoubt)


@pytest.mark.parametrize("extensions", [PIPELINING, WITHOUT])
@pytest.mark.parametrize("replies", range(3))
async def test_a_relay_that_says_no_more_before_the_message_was_handed_nothing(
    extensions: tuple[str, ...], replies: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "COMMAND_TIMEOUT", 0.05)
    async with played_relay(extensions) as relay, transport_to(relay.port) as transport:
        submitted = submitting(transport, KARI)
        talk = await relay.pick_up()
        for _ in range(replies):
            await talk.hear()
            talk.say(OK)

        outcome = await submitted

    assert isinstance(outcome, Unreachable)


async def test_a_mail_whose_time_is_over_before_its_turn_is_not_handed_over() -> None:
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        outcome = await transport.submit(new_mail(), by=asyncio.get_running_loop().time())

    assert isinstance(outcome, NotReached)
    assert outcome.trouble is Trouble.SLOW
    assert relay.calls == 0


async def until(moment: float) -> None:
    """Wait for the loop's clock to say so."""
    loop, reached = asyncio.get_running_loop(), asyncio.Event()
    loop.call_at(moment, reached.set)
    await reached.wait()


async def test_a_mail_whose_time_ran_out_behind_another_answer_is_not_handed_over() -> None:
    loop = asyncio.get_running_loop()
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first = submitting(transport, KARI)
        await talk.hear_envelope()
        talk.say(OK, OK, GO_ON)
        await talk.hear_message()
        by = loop.time() + 0.3
        second = submitting(transport, OLA, by=by)
        await talk.hear_envelope()
        await until(by + 0.01)

        talk.say(TAKEN)

        assert isinstance(await first, Accepted)
        assert isinstance(await second, Unreachable)
        assert await talk.hear_the_rest() == b""


async def test_a_mail_whose_time_ran_out_is_not_handed_over_though_all_replies_come_at_last() -> None:
    loop = asyncio.get_running_loop()
    async with played_relay() as relay, transport_to(relay.port, connections=1) as transport:
        warm = submitting(transport, PER)
        talk = await relay.pick_up()
        await first_mail(talk, warm)
        first = submitting(transport, KARI)
        await talk.hear_envelope()
        talk.say(OK, OK, GO_ON)
        await talk.hear_message()
        by = loop.time() + 0.3
        second = submitting(transport, OLA, by=by)
        await talk.hear_envelope()
        await until(by + 0.01)

        talk.say(TAKEN, OK, OK, GO_ON)

        assert isinstance(await first, Accepted)
        assert await talk.hear() == ""
        assert isinstance(await second, Unreachable)
