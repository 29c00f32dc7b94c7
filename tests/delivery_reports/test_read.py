"""What a report says, whatever kind it is of: whom it is about, to what effect, by which rule."""

import pytest

from tests.delivery_reports.samples import new_answer, new_bounce, new_complaint, new_dsn, recipient_fields
from varsel.delivery_reports.dsn import Action
from varsel.delivery_reports.read import Reading, read_report
from varsel.notifications.send_status import SendStatus

S = SendStatus


def only(content: bytes) -> Reading:
    [reading] = read_report(content).readings
    return reading


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        (Action.FAILED, S.FAILED_BOUNCED),
        (Action.DELAYED, "none"),
        (Action.DELIVERED, S.DELIVERED),
        (Action.RELAYED, S.DELIVERED),
        (Action.EXPANDED, "none"),
    ],
)
def test_only_the_action_of_a_dsn_says_what_became_of_the_mail(action: Action, outcome: str) -> None:
    reading = only(new_dsn(recipient_fields(action)))

    assert (reading.outcome, reading.action, reading.recipient) == (outcome, action, "kari@etat.test")
    assert reading.detail == "550 5.1.1 User unknown"


@pytest.mark.parametrize("status", ["4.4.1", "4.4.7", "4.2.2"])
def test_a_transient_code_is_a_failure_where_the_server_has_given_up(status: str) -> None:
    reading = only(new_dsn(recipient_fields("failed", status, "smtp; 451 still nobody there")))

    assert reading.outcome is S.FAILED


def test_a_dsn_that_says_that_it_is_an_automatic_answer_is_still_one() -> None:
    content = b"Auto-Submitted: auto-replied\r\n" + new_dsn(recipient_fields())

    assert only(content).outcome is S.FAILED_BOUNCED


def test_a_verdict_on_a_dsn_names_its_rule() -> None:
    assert only(new_dsn(recipient_fields())).rule == "text: no such recipient"
    assert only(new_dsn(recipient_fields("delayed"))).rule == "action: delayed"
    assert only(new_dsn(recipient_fields("deliverable", "2.0.0"))).rule == "action: deliverable"


def test_where_a_relay_took_the_mail_into_quarantine_its_words_count() -> None:
    content = new_dsn(recipient_fields("relayed", "2.0.0", "smtp; 250 2.0.0 Ok: quarantined as Q123"))

    assert only(content).outcome is S.FAILED_QUARANTINED


def with_note(note: str, *blocks: bytes) -> bytes:
    return new_dsn(*blocks).replace(b"This is the mail system at host mx.etat.test.", note.encode())


def test_the_text_for_people_is_asked_where_the_fields_say_nothing() -> None:
    poor = recipient_fields(status="5.0.0", diagnostic="smtp; 554 failed")

    reading = only(with_note("<kari@etat.test>: this mailbox is full\r\n", poor))

    assert (reading.outcome, reading.rule) == (S.FAILED, "text: mailbox full")
    assert reading.detail == "554 failed"


def test_the_text_for_people_does_not_overrule_the_fields() -> None:
    reading = only(with_note("<kari@etat.test>: this mailbox is full\r\n", recipient_fields()))

    assert reading.outcome is S.FAILED_BOUNCED


def test_what_the_text_says_of_one_recipient_is_not_said_of_the_other() -> None:
    poor = recipient_fields(status="5.0.0", diagnostic="")
    note = "<kari@etat.test>: 550 User unknown\r\n<ola@etat.test>: 552 mailbox is full\r\n"

    found = read_report(with_note(note, poor, poor.replace(b"kari@", b"ola@"))).readings

    assert [(one.recipient, one.outcome) for one in found] == [
        ("kari@etat.test", S.FAILED_BOUNCED),
        ("ola@etat.test", S.FAILED),
    ]


def test_fields_without_their_parts_are_read_out_of_the_text() -> None:
    text = "Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; kari@etat.test\nAction: delayed\nStatus: 4.4.1\n"

    assert only(new_bounce(text)).outcome == "none"
    assert only(new_bounce(text.replace("delayed", "failed").replace("4.4.1", "5.1.1"))).outcome is S.FAILED_BOUNCED


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\r\n"])
def test_line_ends_do_not_matter(line_end: bytes) -> None:
    content = new_dsn(recipient_fields()).replace(b"\r\n", line_end)

    assert only(content).outcome is S.FAILED_BOUNCED


def test_a_boundary_that_is_not_the_one_named_is_found() -> None:
    content = new_dsn(recipient_fields()).replace(b"--B", b"--C")

    assert only(content).outcome is S.FAILED_BOUNCED


def test_a_dsn_without_recipients_is_read_by_its_text() -> None:
    reading = only(with_note("<kari@etat.test>: 550 5.1.1 User unknown\r\n"))

    assert (reading.recipient, reading.outcome) == ("kari@etat.test", S.FAILED_BOUNCED)


def test_a_dsn_that_reports_success_without_fields_is_no_failure() -> None:
    note = "Your message was successfully delivered to the destination(s) below.\r\n\r\n<kari@etat.test>\r\n"

    assert only(with_note(note)).outcome == "none"


def test_what_the_quoted_mail_says_is_not_said_by_the_server() -> None:
    # Our own mail quotes a report of its own.
    quoted = new_dsn(recipient_fields())
    outer = b"From: MAILER-DAEMON@mx.test\nSubject: Undelivered Mail\nContent-Type: multipart/mixed; boundary=O\n\n"
    outer += b"--O\n\n<ola@etat.test>: 552 mailbox is full\n--O\nContent-Type: message/rfc822\n\n"

    reading = only(outer + quoted + b"\n--O--\n")

    assert (reading.recipient, reading.outcome) == ("ola@etat.test", S.FAILED)


def test_an_automatic_answer_that_quotes_a_report_is_none() -> None:
    head = b"From: kari@etat.test\nAuto-Submitted: auto-replied\nSubject: Re: Hei\n"
    head += b"Content-Type: multipart/mixed; boundary=O\n\n--O\n\nAway.\n--O\nContent-Type: message/rfc822\n\n"

    assert only(head + new_dsn(recipient_fields()) + b"\n--O--\n").outcome == "none"


def test_a_report_that_a_gateway_wraps_without_words_of_its_own_is_read() -> None:
    head = b"From: MAILER-DAEMON@mx.test\nSubject: Undelivered Mail\nContent-Type: multipart/mixed; boundary=O\n\n"
    head += b"--O\n\nYour mail could not be delivered.\n--O\nContent-Type: message/rfc822\n\n"

    assert only(head + new_dsn(recipient_fields()) + b"\n--O--\n").outcome is S.FAILED_BOUNCED


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"Subject: Hei\n\nAction: failed\nStatus: 5.1.1\n", id="an ordinary mail"),
        pytest.param(new_answer(), id="an answer"),
        pytest.param(new_answer(text="It says: 550 5.1.1 user unknown, could not be delivered."), id="a question"),
        pytest.param(
            b"From: kari@etat.test\nContent-Type: multipart/report; report-type=disposition-notification;"
            b" boundary=B\n\n--B\n\nDisplayed.\n--B\nContent-Type: message/disposition-notification\n\n"
            b"Final-Recipient: rfc822; kari@etat.test\nDisposition: manual-action; displayed\n--B--\n",
            id="a receipt",
        ),
        pytest.param(
            b'From: dmarc@provider.test\nContent-Type: multipart/report; report-type="tlsrpt"; boundary=B\n\n'
            b"--B\n\nReport.\n--B--\n",
            id="a report on something else",
        ),
    ],
)
def test_what_is_no_report_changes_nothing(content: bytes) -> None:
    assert only(content).outcome == "none"


def test_a_report_names_its_mail_in_every_way_it_can() -> None:
    block = b"Original-Recipient: rfc822;kari+1@etat.test\r\n" + recipient_fields()
    content = new_dsn(block).replace(
        b"Subject: Hei\r\n", b"Return-Path: <b+9.x@bounce.test>\r\nMessage-ID: <n-9@etat.test>\r\nSubject: Hei\r\n"
    )

    references = read_report(content).references

    assert references.envelope_ids == ("n-1",)
    assert references.message_ids == ("n-9@etat.test",)
    assert references.return_paths == ("b+9.x@bounce.test", "b+1@bounce.test")
    assert references.recipients == ("kari+1@etat.test", "kari@etat.test")


def test_the_id_of_the_report_itself_names_nothing() -> None:
    content = b"Message-ID: <report@mx.test>\r\n" + new_dsn(recipient_fields())

    assert read_report(content).references.message_ids == ()


def test_a_bounce_names_its_mail_by_what_it_answers_or_quotes() -> None:
    text = "Failed:\n\n<kari@etat.test>\n\n---- Original message ----\n\nReturn-Path: <b+9.x@bounce.test>\n"
    text += "Message-ID: <n-9@etat.test>\nSubject: Hei\n"

    references = read_report(new_bounce(text, headers="In-Reply-To: <n-8@etat.test>\n")).references

    assert references.message_ids == ("n-9@etat.test", "n-8@etat.test")
    assert "b+9.x@bounce.test" in references.return_paths


def test_a_complaint_names_its_mail() -> None:
    fields = "Feedback-Type: abuse\nOriginal-Mail-From: <b+6.x@bounce.test>\nOriginal-Rcpt-To: kari@etat.test\n"

    references = read_report(new_complaint(fields)).references

    assert references.message_ids == ("n-7@etat.test",)
    assert references.return_paths[:2] == ("b+7.x@bounce.test", "b+6.x@bounce.test")
    assert references.recipients == ("kari@etat.test",)
