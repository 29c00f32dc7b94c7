"""Complaints: recognised in every form, never a failure, and their opposite told apart."""

import pytest

from tests.delivery_reports.samples import new_complaint
from varsel.delivery_reports.read import read_report


@pytest.mark.parametrize("kind", ["abuse", "fraud", "opt-out", "auth-failure", "other", "virus"])
def test_a_complaint_is_no_failure_whatever_it_says(kind: str) -> None:
    [reading] = read_report(new_complaint(f"Feedback-Type: {kind}\nOriginal-Rcpt-To: kari@etat.test\n")).readings

    assert (reading.outcome, reading.recipient, reading.rule) == ("complaint", "kari@etat.test", f"complaint: {kind}")


def test_everybody_who_complains_is_named_once() -> None:
    fields = "Feedback-Type: abuse\nOriginal-Rcpt-To: <kari@etat.test>\nOriginal-Rcpt-To: <ola@etat.test>\n"

    readings = read_report(new_complaint(fields + "Removal-Recipient: kari@etat.test\n")).readings

    assert [reading.recipient for reading in readings] == ["kari@etat.test", "ola@etat.test"]


def test_where_the_provider_hides_who_complained_the_quoted_mail_tells() -> None:
    [reading] = read_report(new_complaint("Feedback-Type: abuse\n")).readings

    assert reading.recipient == "kari@etat.test"


def test_a_recipient_who_says_that_it_is_no_spam_does_not_complain() -> None:
    [reading] = read_report(new_complaint("Feedback-Type: not-spam\n")).readings

    assert (reading.outcome, reading.rule) == ("none", "complaint: not-spam")


def test_a_complaint_whose_fields_are_lost_is_one() -> None:
    content = new_complaint().replace(b"message/feedback-report", b"application/octet-stream")

    assert [reading.outcome for reading in read_report(content).readings] == ["complaint"]


def test_what_hotmail_sent_before_there_was_a_standard_is_a_complaint() -> None:
    content = (
        b"From: staff@hotmail.test\nSubject: complaint about message from 192.0.2.1\n"
        b"Content-Type: multipart/mixed; boundary=H\n\n--H\nContent-Type: message/rfc822\n\n"
        b"X-HmXmrOriginalRecipient: kari@hotmail.test\nSubject: Hei\n\nHei\n--H--\n"
    )

    [reading] = read_report(content).readings

    assert (reading.outcome, reading.recipient) == ("complaint", "kari@hotmail.test")
