from datetime import timedelta

import pytest

from varsel.sandbox.handler import Envelope
from varsel.sandbox.mailbox import Mailbox

ENVELOPE = Envelope("b+1@bounce.test")


def test_messages_come_newest_first_and_are_found_by_their_id() -> None:
    mailbox = Mailbox()

    first, second, third = (mailbox.keep(ENVELOPE, f"{number}\r\n".encode()) for number in range(3))

    assert mailbox.newest() == [third, second, first]
    assert mailbox.newest(2) == [third, second]
    assert mailbox.find(second.id) == second
    assert mailbox.find("unknown") is None


def test_the_oldest_message_makes_room_when_there_are_too_many() -> None:
    mailbox = Mailbox(messages=2)

    first, second, third = (mailbox.keep(ENVELOPE, b"x") for _ in range(3))

    assert mailbox.newest() == [third, second]
    assert mailbox.find(first.id) is None
    assert len(mailbox) == 2


def test_the_oldest_messages_make_room_when_they_are_too_large() -> None:
    mailbox = Mailbox(total_bytes=10)
    mailbox.keep(ENVELOPE, b"x" * 4)
    mailbox.keep(ENVELOPE, b"x" * 4)

    largest = mailbox.keep(ENVELOPE, b"x" * 9)

    assert mailbox.newest() == [largest]


def test_the_time_of_arrival_is_in_utc() -> None:
    assert Mailbox().keep(ENVELOPE, b"").received_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Subject: =?utf-8?q?Bl=C3=A5b=C3=A6r?=", "Blåbær"),
        ("Subject: Blåbær", "Blåbær"),
        ("Subject: folded\r\n over two lines", "folded over two lines"),
        ("Subject: =?no-such-charset?q?x?=", "x"),
        ("Subject:", ""),
        ("X: y", None),
        ("\r\nSubject: of the body", None),
    ],
)
def test_a_header_is_read_as_text(header: str, text: str | None) -> None:
    message = Mailbox().keep(ENVELOPE, f"{header}\r\n\r\nbody\r\n".encode())

    assert message.header("Subject") == text


@pytest.mark.parametrize("address", ["Ola <ola@example.no>", "<", "a@b@c", "ola@[", '"', "undisclosed:;"])
def test_an_address_that_is_none_is_still_shown(address: str) -> None:
    message = Mailbox().keep(ENVELOPE, f"To: {address}\r\n\r\n".encode())

    assert message.header("to") == address


@pytest.mark.parametrize(
    ("content", "headers"),
    [(b"A: b\r\n\r\nc\r\n", b"A: b\r\n"), (b"A: b\r\n", b"A: b\r\n"), (b"", b"")],
)
def test_headers_end_before_the_empty_line(content: bytes, headers: bytes) -> None:
    assert Mailbox().keep(ENVELOPE, content).headers == headers
