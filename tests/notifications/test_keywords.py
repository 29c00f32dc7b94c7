"""Keywords become each recipient's own; whoever is not known by name reads them as they were written."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varsel.notifications.compose import Content, render
from varsel.notifications.keywords import with_keywords
from varsel.notifications.send_status import Claim


def content(subject: str = "Hei", body: str = "Hei", *, is_html: bool = False) -> Content:
    return Content(subject, body, is_html, "noreply@varsel.test", datetime(2026, 1, 1, tzinfo=UTC))


def claim(name: str | None, organization_number: str | None = None) -> Claim:
    return Claim(uuid4(), uuid4(), "kari@sandbox.test", 1, None, name, organization_number)


def message_to(what: Content, whom: Claim) -> EmailMessage:
    message = message_from_bytes(with_keywords(what)(whom), policy=default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    text = part.get_content()
    assert isinstance(text, str)
    return text.strip()


def test_an_organisation_is_named_and_numbered_in_subject_and_body() -> None:
    what = content("Til $recipientName$ ($recipientNumber$)", "Kjære $recipientName$, $recipientNumber$!")

    message = message_to(what, claim("Ås Bakeri & Sønner", "310400009"))

    assert message["Subject"] == "Til Ås Bakeri & Sønner (310400009)"
    assert text_of(message) == "Kjære Ås Bakeri & Sønner, 310400009!"


def test_the_number_of_a_person_is_never_shown() -> None:
    message = message_to(content("Nr. $recipientNumber$.", "Hei $recipientName$$recipientNumber$!"), claim("Kari"))

    assert (message["Subject"], text_of(message)) == ("Nr. .", "Hei Kari!")


def test_who_is_not_known_by_name_reads_keywords_as_written_the_number_too() -> None:
    message = message_to(content("Til $recipientName$", "$recipientNumber$"), claim(None, "310400009"))

    assert (message["Subject"], text_of(message)) == ("Til $recipientName$", "$recipientNumber$")


@pytest.mark.parametrize(
    "text", ["$recipientname$", "$RecipientName$", "$ recipientName$", "recipientName", "$recipient$"]
)
def test_only_the_exact_keyword_is_one(text: str) -> None:
    assert message_to(content(text), claim("Kari"))["Subject"] == text


def test_a_name_is_escaped_in_html_and_in_its_plain_text_as_it_is() -> None:
    what = content("Til $recipientName$", "<p>Hei <b>$recipientName$</b></p>", is_html=True)

    message = message_to(what, claim("<script>\"Tom\" & 'Jerry'</script>"))

    assert "&lt;script&gt;&quot;Tom&quot; &amp; &#x27;Jerry&#x27;&lt;/script&gt;" in text_of(message, "html")
    assert "<script>" not in text_of(message, "html")
    assert "<script>\"Tom\" & 'Jerry'</script>" in text_of(message)
    assert message["Subject"] == "Til <script>\"Tom\" & 'Jerry'</script>"


def test_a_keyword_in_a_name_is_part_of_the_name() -> None:
    message = message_to(content("$recipientName$"), claim("$recipientNumber$ $recipientName$", "310400009"))

    assert message["Subject"] == "$recipientNumber$ $recipientName$"


def test_a_backslash_in_a_name_stays_one() -> None:
    assert message_to(content("$recipientName$"), claim(r"A\1 \g<0>\n"))["Subject"] == r"A\1 \g<0>\n"


def test_where_nothing_would_be_left_the_text_stays_as_written() -> None:
    message = message_to(content("$recipientNumber$", "$recipientNumber$"), claim("Kari"))

    assert (message["Subject"], text_of(message)) == ("$recipientNumber$", "$recipientNumber$")


def test_without_keywords_everybody_gets_the_same_message_rendered_once() -> None:
    prepared = with_keywords(content("Hei", "Hei på deg"))

    assert prepared(claim("Kari")) is prepared(claim(None))


def test_every_attempt_at_a_notification_is_the_same_to_the_byte() -> None:
    prepared, whom = with_keywords(content("Til $recipientName$")), claim("Kari")

    assert prepared(whom) == prepared(whom) == render(content("Til Kari"))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=80))
def test_whatever_the_name_the_message_has_no_further_header(name: str) -> None:
    message = message_to(content("Til $recipientName$", "Hei"), claim(name))

    assert set(message.keys()) == set(message_from_bytes(render(content())).keys())
