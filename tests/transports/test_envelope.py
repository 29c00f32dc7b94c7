"""The commands for a mail, and its message as it goes over the wire: nothing in either can end it early."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from varsel.transports.envelope import Envelope, data_of
from varsel.transports.transport import Mail

KARI = "kari@sandbox.test"
RETURN_PATH = "b+1@bounce.test"
NO_ADDRESSES = [
    "",
    "kari @sandbox.test",
    " kari@sandbox.test",
    "kari@sandbox.test ",
    "<kari@sandbox.test",
    "kari@sandbox.test>",
    "kari@sandbox.test> NOTIFY=NEVER",
    "kari@sandbox.test\r\nDATA",
    "kari@sandbox.test\r",
    "kari@sandbox.test\n",
    "kari\t@sandbox.test",
    "kari\0@sandbox.test",
    "kari\x7f@sandbox.test",
]
SMUGGLED = "MAIL FROM:<evil@else.test>"

# What matters to a line-based protocol, and something else.
wild_bytes = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"x", b"", b"\x85", b"\xe2\x80\xa8"])).map(
    b"".join
)


def mail(
    recipient: str = KARI, return_path: str = RETURN_PATH, message: bytes = b"Subject: Hei\r\n\r\nHei!\r\n"
) -> Mail:
    return Mail(return_path, recipient, "n-1", message)


def as_received(data: bytes) -> tuple[bytes, bytes]:
    """The message that a receiver reads from it, and what follows its end (RFC 5321 section 4.5.2).

    A strict one: only CRLF ends a line, and only a line of one dot ends the message.
    """
    lines: list[bytes] = []
    rest = data
    while True:
        line, end, rest = rest.partition(b"\r\n")
        assert end, "the message does not end"
        if line == b".":
            return b"".join(line + b"\r\n" for line in lines), rest
        lines.append(line.removeprefix(b"."))


def as_received_leniently(data: bytes) -> bytes:
    """What follows the end for a receiver that takes any line end for one."""
    match = re.search(rb"(?:^|\r\n|\r|\n)\.(?:\r\n|\r|\n)", data)
    assert match
    return data[match.end() :]


def with_crlf(message: bytes) -> bytes:
    ended = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    return ended if ended.endswith(b"\r\n") else ended + b"\r\n"


def test_the_commands_end_their_lines_and_say_what_is_asked_for() -> None:
    envelope = Envelope.of(mail(), "FAILURE", offers_dsn=True)

    assert envelope.commands == [
        b"MAIL FROM:<b+1@bounce.test> RET=HDRS ENVID=n-1\r\n",
        b"RCPT TO:<kari@sandbox.test> NOTIFY=FAILURE ORCPT=rfc822;kari@sandbox.test\r\n",
        b"DATA\r\n",
    ]
    assert not envelope.needs_utf8


def test_without_dsn_the_commands_are_bare() -> None:
    envelope = Envelope.of(mail(), "FAILURE", offers_dsn=False)

    assert envelope.commands == [b"MAIL FROM:<b+1@bounce.test>\r\n", b"RCPT TO:<kari@sandbox.test>\r\n", b"DATA\r\n"]


@pytest.mark.parametrize("offers_dsn", [True, False])
def test_an_address_beyond_ascii_needs_smtputf8_and_has_no_orcpt(offers_dsn: bool) -> None:
    # RFC 3461 section 4.2: an original recipient of the type rfc822 is ASCII.
    envelope = Envelope.of(mail("ærlig@sandbox.test"), "FAILURE", offers_dsn=offers_dsn)

    sender, recipient, _ = envelope.commands
    assert envelope.needs_utf8
    assert b"SMTPUTF8 BODY=8BITMIME" in sender
    assert recipient.startswith("RCPT TO:<ærlig@sandbox.test>".encode())
    assert b"ORCPT" not in recipient


@pytest.mark.parametrize("address", NO_ADDRESSES)
@pytest.mark.parametrize("offers_dsn", [True, False])
def test_a_recipient_that_cannot_be_written_in_a_command_is_an_error(address: str, offers_dsn: bool) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        Envelope.of(mail(address), "NEVER", offers_dsn=offers_dsn)


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_a_return_path_that_cannot_be_written_in_a_command_is_an_error(address: str) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        Envelope.of(mail(return_path=address), "NEVER", offers_dsn=True)


@settings(deadline=None)
@given(recipient=st.text(), return_path=st.text(), envelope_id=st.text())
@example(recipient=KARI, return_path=RETURN_PATH, envelope_id="n-1\r\nRSET")
@example(recipient="kari@sandbox.test\u2028RSET", return_path=RETURN_PATH, envelope_id="n-1")
def test_whatever_the_words_are_there_are_three_lines_or_none(
    recipient: str, return_path: str, envelope_id: str
) -> None:
    try:
        envelope = Envelope.of(Mail(return_path, recipient, envelope_id, b""), "NEVER", offers_dsn=True)
    except ValueError:
        return

    assert [line[-2:] for line in envelope.commands] == [b"\r\n"] * 3
    assert not [line for line in envelope.commands if b"\r" in line[:-2] or b"\n" in line[:-2]]
    starts = [f"MAIL FROM:<{return_path}>".encode(), f"RCPT TO:<{recipient}>".encode(), b"DATA"]
    assert [line.startswith(start) for line, start in zip(envelope.commands, starts, strict=True)] == [True] * 3


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_whatever_ends_its_lines_a_message_arrives_with_crlf(end: str) -> None:
    message = f"Subject: Hei{end}{end}Hei{end}på deg{end}".encode()

    assert data_of(message) == "Subject: Hei\r\n\r\nHei\r\npå deg\r\n.\r\n".encode()


def test_line_ends_of_all_kinds_may_be_mixed() -> None:
    assert data_of(b"a\r\nb\rc\nd\n\re") == b"a\r\nb\r\nc\r\nd\r\n\r\ne\r\n.\r\n"


@pytest.mark.parametrize(
    ("message", "data"),
    [
        (b".", b"..\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"..", b"...\r\n.\r\n"),
        (b"a\r\n.b\r\n", b"a\r\n..b\r\n.\r\n"),
        (b"a.\r\nb.c\r\n", b"a.\r\nb.c\r\n.\r\n"),
        (b"a\n.b", b"a\r\n..b\r\n.\r\n"),
        (b"a\r.b", b"a\r\n..b\r\n.\r\n"),
        (b"", b"\r\n.\r\n"),
    ],
)
def test_a_dot_that_begins_a_line_is_doubled(message: bytes, data: bytes) -> None:
    assert data_of(message) == data


@settings(deadline=None)
@given(message=wild_bytes | st.binary())
def test_a_receiver_reads_the_message_with_crlf_line_ends_and_nothing_behind_it(message: bytes) -> None:
    received, rest = as_received(data_of(message))

    assert received == with_crlf(message)
    assert rest == b""


@settings(deadline=None)
@given(message=wild_bytes)
def test_no_line_ends_in_anything_but_crlf(message: bytes) -> None:
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", data_of(message))


@pytest.mark.parametrize("before", ["\n", "\r", "\r\n", "\n\r", "\r\r", "\n\n", "\r\n\r"])
@pytest.mark.parametrize("after", ["\n", "\r", "\r\n", "\r\r\n", "\n\r"])
def test_no_dot_inside_ends_the_message_whoever_reads_it(before: str, after: str) -> None:
    message = f"Subject: Hei\r\n\r\nHei{before}.{after}{SMUGGLED}\r\n".encode()

    data = data_of(message)

    assert as_received(data)[1] == b""
    assert as_received_leniently(data) == b""


@settings(deadline=None)
@given(message=wild_bytes)
def test_nothing_can_be_smuggled_past_a_lenient_receiver(message: bytes) -> None:
    assert as_received_leniently(data_of(message + b"\r\nend")) == b""
