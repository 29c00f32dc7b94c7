"""Our own MIME against the standard library's parser: what we write is what it reads."""

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import compat32, default
from email.utils import parseaddr

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from varsel.notifications.mime import alternatives, header, mailbox_header, text_part

WRITTEN = st.characters(exclude_categories=["Cs", "Cc"])
WORDS = st.text(WRITTEN) | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=80)
SUBJECTS = st.text(WRITTEN) | st.lists(WORDS, max_size=12).map(" ".join)
NAMES = SUBJECTS.map(str.strip).filter(bool)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LINES = st.text(st.characters(min_codepoint=32, max_codepoint=126)) | ANY_TEXT | st.integers(0, 2_500).map("x".__mul__)
BODIES = st.lists(LINES, max_size=8).map("\n".join).map(lambda text: text.replace("\0", ""))
BREAKERS = ["\r\n", "\r", "\n", "\n\n", "\0", "\x0b", "\x0c", "\x1e", "\x85", "\u2028", "\u2029"]

examples = settings(deadline=None, max_examples=100)


def read(octets: bytes) -> EmailMessage:
    return message_from_bytes(octets, policy=default)


def read_header(line: bytes) -> EmailMessage:
    return read(line + b"\r\nA body.\r\n")


def with_lf(text: str) -> str:
    return re.sub(r"\r\n?", "\n", text)


@examples
@given(SUBJECTS)
@example("")
@example(" ")
@example(" Hei  på   deg ")
@example("=?utf-8?q?not_encoded?=")
@example("a: b: c")
def test_a_subject_reads_as_it_was_written(subject: str) -> None:
    message = read_header(header("Subject", subject))

    assert message["Subject"] == subject


@examples
@given(NAMES)
@example('Etaten "Nord", Oslo')
@example("Etaten \\ Nord")
@example("Etaten (Nord)")
@example("post@etat.test")
@example("=?utf-8?q?not_encoded?=")
def test_a_display_name_and_its_address_read_as_they_were_written(name: str) -> None:
    written = mailbox_header("From", name, "post@etat.test")

    # Not by the parser of addresses, which makes a space of the border between two encoded words.
    encoded, address = parseaddr(message_from_bytes(written, policy=compat32)["From"].replace("\r\n", ""))
    assert (str(make_header(decode_header(encoded))), address) == (name, "post@etat.test")


def test_an_address_without_a_name_stands_alone() -> None:
    assert mailbox_header("From", "", "post@etat.test") == b"From: post@etat.test\r\n"


@examples
@given(SUBJECTS)
@example("x" * 50 + ": " + "y" * 60)
@example("a: " * 499 + "a")
@example("ord " * 300 + "ord")
@example("å" * 500)
def test_no_header_line_is_longer_than_78_where_it_can_be_folded(text: str) -> None:
    written = header("Subject", text) + mailbox_header("From", text, "post@etat.test")

    for line in written.split(b"\r\n"):
        words = line.removeprefix(b"Subject:").removeprefix(b"From:").split()
        assert len(line) <= 78 or len(words) == 1


@examples
@given(ANY_TEXT)
def test_header_lines_are_ascii_and_end_in_crlf(text: str) -> None:
    written = header("Subject", text) + mailbox_header("From", text, "post@etat.test")

    assert re.fullmatch(rb"([ -~]+\r\n)+", written)


@pytest.mark.parametrize("breaker", BREAKERS, ids=repr)
def test_no_text_breaks_out_of_its_header(breaker: str) -> None:
    text = f"Hei{breaker}Bcc: ola@etat.test"

    message = read_header(header("Subject", text) + mailbox_header("From", text, "post@etat.test"))

    assert message.keys() == ["Subject", "From"]
    assert message.get_payload() == "A body.\r\n"


@examples
@given(ANY_TEXT)
def test_whatever_the_text_a_header_is_one_header(text: str) -> None:
    message = read_header(header("Subject", text) + mailbox_header("From", text, "post@etat.test"))

    assert message.keys() == ["Subject", "From"]


@examples
@given(BODIES)
@example("")
@example(".\n..\n")
@example("From here\n>From there")
@example("trailing space \nand tab\t\n")
@example("æ" * 2_000)
@example("one\r\ntwo\rthree\nfour")
def test_a_text_part_reads_as_it_was_written(text: str) -> None:
    message = read(text_part(text, "plain"))

    written = with_lf(text)
    assert with_lf(message.get_content()) == (written if written.endswith("\n") else f"{written}\n")
    assert message.get_content_type() == "text/plain"
    assert message.defects == []


@examples
@given(BODIES)
@example("x" * 999)
@example("æ" * 999)
def test_a_text_part_fits_every_relay(text: str) -> None:
    part = text_part(text, "html")

    assert part.isascii()
    assert b"\0" not in part
    assert max(len(line) for line in part.split(b"\r\n")) <= 998  # RFC 5322 section 2.1.1
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", part)
    assert part.endswith(b"\r\n")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Hei", "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("Velkommen til Ås, og velkommen skal du være.", "quoted-printable"),
        ("form feed\f", "quoted-printable"),
        ("Добро пожаловать", "base64"),
    ],
)
def test_the_encoding_is_the_plainest_that_does(text: str, encoding: str) -> None:
    assert read(text_part(text, "plain"))["Content-Transfer-Encoding"] == encoding


@examples
@given(BODIES, BODIES)
def test_alternatives_read_as_their_two_parts(plain: str, html: str) -> None:
    message = read(alternatives("=_boundary", text_part(plain, "plain"), text_part(html, "html")))

    parts = list(message.iter_parts())
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert [part.get_content() for part in parts] == [
        read(text_part(plain, "plain")).get_content(),
        read(text_part(html, "html")).get_content(),
    ]
    assert message.defects == []
