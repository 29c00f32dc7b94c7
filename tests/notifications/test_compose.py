"""Whole messages against the standard library's parser, and the addresses that they go to."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from varsel.notifications.compose import (
    Content,
    address_to,
    envelope_address,
    message_id,
    render,
    split_mailbox,
)

PLACED_AT = datetime(2026, 11, 30, 8, 15, 30, tzinfo=UTC)
OWN_ID = "<0193-own@bounce.etat.test>"
HTML = '<h1>Hei på deg</h1><p>Les <a href="https://etat.test/brev">brevet</a>.</p>'
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]))


def content(**changes: Any) -> Content:
    defaults = Content("Hei på deg", "Velkommen til Ås.", False, "Etaten <post@etat.test>", PLACED_AT)
    return replace(defaults, **changes)


def read(octets: bytes) -> EmailMessage:
    return message_from_bytes(octets, policy=default)


def composed(recipient: str = "kari@sandbox.test", **changes: Any) -> EmailMessage:
    return read(address_to(render(content(**changes)), recipient, OWN_ID))


def test_a_plain_message_reads_as_the_order_was_written() -> None:
    message = composed()

    assert message["Subject"] == "Hei på deg"
    assert message["To"] == "kari@sandbox.test"
    assert message["From"] == "Etaten <post@etat.test>"
    assert message["Message-ID"] == OWN_ID
    assert message.get_content_type() == "text/plain"
    assert message.get_content() == "Velkommen til Ås.\r\n"
    assert message.defects == []


def test_an_html_message_has_its_plain_text_first() -> None:
    message = composed(body=HTML, is_html=True)

    plain, html = message.iter_parts()
    assert message.get_content_type() == "multipart/alternative"
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert plain.get_content().split() == "Hei på deg Les brevet <https://etat.test/brev>.".split()
    assert html.get_content() == f"{HTML}\r\n"
    assert message.defects == []


@settings(deadline=None, max_examples=100)
@given(TEXTS, TEXTS, st.booleans())
def test_every_subject_and_body_reads_as_it_was_written(subject: str, body: str, is_html: bool) -> None:
    message = composed(subject=subject, body=body, is_html=is_html)

    [*_, written] = message.iter_parts() if is_html else [message]
    assert message["Subject"] == subject
    assert written.get_content() == f"{body}\r\n"


@pytest.mark.parametrize("is_html", [False, True])
def test_a_message_has_each_header_once(is_html: bool) -> None:
    names = composed(is_html=is_html).keys()

    shared = ["From", "Subject", "Date", "Auto-Submitted", "X-Auto-Response-Suppress", "MIME-Version", "Content-Type"]
    assert names[:9] == ["To", "Message-ID", *shared]
    assert len(names) == len(set(names))


def test_a_message_is_dated_like_its_order() -> None:
    assert parsedate_to_datetime(composed()["Date"]) == PLACED_AT


def test_a_message_asks_no_robot_for_an_answer() -> None:
    message = composed()

    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"


@pytest.mark.parametrize("is_html", [False, True])
def test_the_same_content_is_the_same_message_to_the_byte(is_html: bool) -> None:
    assert render(content(body=HTML, is_html=is_html)) == render(content(body=HTML, is_html=is_html))


def test_the_boundary_occurs_in_no_part() -> None:
    earlier = composed(body=HTML, is_html=True).get_boundary()

    message = composed(body=f"{HTML}\r\n--{earlier}--\r\n", is_html=True)

    boundary = message.get_boundary()
    assert boundary is not None
    assert earlier != boundary
    assert message.as_bytes().count(boundary.encode()) == 4  # the header, and three delimiters
    assert len(list(message.iter_parts())) == 2


def test_the_from_domain_is_written_in_a_labels() -> None:
    [address] = composed(from_address="Etaten <post@blåbær.test>")["From"].addresses

    assert address.addr_spec == "post@xn--blbr-roah.test"


def test_a_from_address_with_a_non_ascii_local_part_is_rendered() -> None:
    assert "ærlig@etat.test".encode() in render(content(from_address="Etaten <ærlig@etat.test>"))


@pytest.mark.parametrize("breaker", ["\r\n", "\r", "\n", "\x85", "\u2028"], ids=repr)
@pytest.mark.parametrize(
    "mailbox", ["Etaten{}Bcc: ola@etat.test <post@etat.test>", "post@etat.test{}Bcc: ola@etat.test"]
)
def test_a_from_address_adds_no_header_line(mailbox: str, breaker: str) -> None:
    with suppress(ValueError):  # refusing it is as good
        assert "Bcc" not in composed(from_address=mailbox.format(breaker))


def test_a_recipient_with_a_non_ascii_local_part_is_written_in_utf8() -> None:
    assert address_to(b"", "ærlig@etat.test", OWN_ID).startswith("To: ærlig@etat.test\r\n".encode())


@pytest.mark.parametrize(
    ("address", "in_envelope"),
    [
        ("kari@sandbox.test", "kari@sandbox.test"),
        (" kari@sandbox.test\n", "kari@sandbox.test"),
        ("Kari.Nordmann@Sandbox.TEST", "Kari.Nordmann@Sandbox.TEST"),
        ("kari+tag@sandbox.test", "kari+tag@sandbox.test"),
        ("o'brien@sandbox.test", "o'brien@sandbox.test"),
        ("kari@under_score.test", "kari@under_score.test"),
        ("kari@blåbær.test", "kari@xn--blbr-roah.test"),
        ("Kari@BLÅBÆR.test", "Kari@xn--blbr-roah.test"),
        ("ærlig@sandbox.test", "ærlig@sandbox.test"),
        ("Ærlig@blåbær.test", "Ærlig@xn--blbr-roah.test"),
        ("kari@sandbox。test", "kari@sandbox.test"),
    ],
)
def test_an_address_keeps_its_local_part_and_gets_an_ascii_domain(address: str, in_envelope: str) -> None:
    assert envelope_address(address) == in_envelope


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        "kari",
        "@sandbox.test",
        "kari@",
        "kari nordmann@sandbox.test",
        "kari@sand box.test",
        "<kari@sandbox.test>",
        "kari@sandbox.test>",
        "kari@sandbox.test> NOTIFY=NEVER",
        "kari@sandbox.test\r\nRCPT TO:<ola@sandbox.test>",
        "kari\n@sandbox.test",
        "kari\0@sandbox.test",
        "kari\x85@sandbox.test",
        "kari\u2028@sandbox.test",
        "kari\u3000@sandbox.test",
        "kari@blåbær..test",
        "kari@blå<bær.test",
        "kari@blåbær﹤.test",
        "kari@☃.test",
        f"kari@{'å' * 64}.test",
    ],
    ids=repr,
)
def test_what_no_mail_server_could_take_is_no_envelope_address(address: str) -> None:
    assert envelope_address(address) is None


@settings(deadline=None, max_examples=100)
@given(st.text() | st.tuples(st.text(), st.text()).map("@".join))
@example("kari@ﬀ．test")
def test_an_envelope_address_never_breaks_its_line(address: str) -> None:
    in_envelope = envelope_address(address)

    if in_envelope is not None:
        assert in_envelope.isprintable()
        assert not set(in_envelope) & set(" <>")
        assert in_envelope.rpartition("@")[2].isascii()


@pytest.mark.parametrize(
    ("mailbox", "parts"),
    [
        ("post@etat.test", ("", "post@etat.test")),
        (" post@etat.test ", ("", "post@etat.test")),
        ("<post@etat.test>", ("", "post@etat.test")),
        ("Etaten <post@etat.test>", ("Etaten", "post@etat.test")),
        ("  Etaten   < post@etat.test > ", ("Etaten", "post@etat.test")),
        ('"Etaten, Oslo" <post@etat.test>', ("Etaten, Oslo", "post@etat.test")),
        ('"Etaten <Oslo>" <post@etat.test>', ("Etaten <Oslo>", "post@etat.test")),
        ("Ærlig etat <post@etat.test>", ("Ærlig etat", "post@etat.test")),
        ('"Etaten \\"Nord\\"" <post@etat.test>', ('Etaten "Nord"', "post@etat.test")),
    ],
)
def test_a_mailbox_is_split_into_name_and_address(mailbox: str, parts: tuple[str, str]) -> None:
    assert split_mailbox(mailbox) == parts


def test_a_message_id_is_the_notification_at_our_domain() -> None:
    notification_id = UUID("019ad0c0-0000-7000-8000-000000000001")

    assert message_id(notification_id, "bounce.etat.test") == f"<{notification_id}@bounce.etat.test>"
