from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from tests.sandbox.report_sink import TakenReport
from varsel.sandbox.handler import Envelope, Recipient
from varsel.sandbox.mailbox import ReceivedMessage
from varsel.sandbox.reports import HEADERS_LIMIT, reports_on

ARRIVED = datetime(2026, 11, 30, 8, 0, 0, tzinfo=UTC)
WRITTEN = datetime(2026, 11, 30, 8, 0, 1, tzinfo=UTC)
ALL = frozenset({"SUCCESS", "FAILURE", "DELAY"})


def received(*recipients: Recipient, **changes: object) -> ReceivedMessage:
    envelope = Envelope("b+1.x@bounce.test", recipients, envid="n-1", ret="HDRS")
    content = b"From: a@b.test\r\nSubject: Hei\r\nMessage-ID: <1@b.test>\r\n\r\nThe body\r\n"
    message = ReceivedMessage("4F00AA", ARRIVED, envelope, content)
    return replace(message, **changes)  # type: ignore[arg-type]


def written(message: ReceivedMessage) -> list[TakenReport]:
    [reports] = reports_on(message)
    return [TakenReport(message.envelope, report.write(written_at=WRITTEN)) for report in reports]


def actions(local_part: str, *notify: str, sender: str = "b+1@bounce.test") -> list[str]:
    recipient = Recipient(f"{local_part}@sandbox.test", frozenset(notify))
    message = received(envelope=Envelope(sender, (recipient,)))
    return [report.action for report in written(message)] if reports_on(message) else []


def test_a_report_is_a_multipart_report_to_the_return_path() -> None:
    [report] = written(received(Recipient("bounced@sandbox.test")))

    message = report.message
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert message["From"] == "Mail Delivery System <MAILER-DAEMON@sandbox.test>"
    assert message["To"].addresses[0].addr_spec == "b+1.x@bounce.test"
    assert message["Auto-Submitted"] == "auto-replied"
    assert parsedate_to_datetime(message["Date"]) == WRITTEN
    assert message["Message-ID"]
    assert message.defects == []


def test_its_three_parts_are_for_people_for_machines_and_the_headers() -> None:
    [report] = written(received(Recipient("bounced@sandbox.test")))

    note, status, headers = report.message.iter_parts()
    assert "bounced@sandbox.test" in note.get_content()
    assert status.get_content_type() == "message/delivery-status"
    assert headers.get_content_type() == "text/rfc822-headers"
    assert str(headers.get_payload()).splitlines() == [
        "Return-Path: <b+1.x@bounce.test>",
        "From: a@b.test",
        "Subject: Hei",
        "Message-ID: <1@b.test>",
    ]


def test_the_status_part_reads_as_the_library_reads_it() -> None:
    recipient = Recipient("bounced+7@sandbox.test", ALL, "rfc822;bounced+7@sandbox.test")

    [report] = written(received(recipient))

    status = list(report.message.iter_parts())[1]
    of_mail, of_recipient = status.iter_parts()  # each block is parsed as a part
    assert dict(of_mail.items()) == {
        "Reporting-MTA": "dns; sandbox.test",
        "Original-Envelope-Id": "n-1",
        "X-Sandbox-Queue-ID": "4F00AA",
        "Arrival-Date": "Mon, 30 Nov 2026 08:00:00 +0000",
    }
    assert dict(of_recipient.items()) == {
        "Final-Recipient": "rfc822; bounced+7@sandbox.test",
        "Original-Recipient": "rfc822;bounced+7@sandbox.test",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.sandbox.test",
        "Diagnostic-Code": "smtp; 550 5.1.1 Recipient address rejected: User unknown in virtual mailbox table",
    }


def test_what_was_not_given_is_left_out() -> None:
    message = received(envelope=Envelope("b+1@bounce.test", (Recipient("bounced@sandbox.test"),)))

    [report] = written(message)

    of_mail, of_recipient = report.blocks()
    assert "Original-Envelope-Id" not in of_mail
    assert "Original-Recipient" not in of_recipient


def test_a_delay_says_until_when_it_is_tried() -> None:
    [report] = written(received(Recipient("delayed@sandbox.test", frozenset({"DELAY"}))))

    fields = report.blocks()[-1]
    assert (fields["Action"], fields["Status"]) == ("delayed", "4.4.1")
    assert parsedate_to_datetime(fields["Will-Retry-Until"]) > ARRIVED


def test_mail_with_smtputf8_is_reported_in_the_international_form() -> None:
    recipient = Recipient("bounced+blåbær@sandbox.test", ALL, "utf-8;bounced+blåbær@sandbox.test")
    envelope = Envelope("b+1@bounce.test", (recipient,), smtputf8=True)
    content = "Subject: Blåbær\r\n\r\n".encode()

    [report] = written(received(envelope=envelope, content=content))

    _, status, headers = report.message.iter_parts()
    assert status.get_content_type() == "message/global-delivery-status"
    assert headers.get_content_type() == "message/global-headers"
    assert report.blocks()[-1]["Final-Recipient"] == "utf-8; bounced+blåbær@sandbox.test"
    assert report.blocks()[-1]["Original-Recipient"] == "utf-8;bounced+blåbær@sandbox.test"
    assert "Subject: Blåbær\r\n".encode() in report.content
    assert report.message["Content-Transfer-Encoding"] == "8bit"


def test_a_complaint_is_an_abuse_report_that_hides_the_recipient() -> None:
    [report] = written(received(Recipient("complaint@sandbox.test", frozenset({"FAILURE"}))))

    assert report.message.get_param("report-type") == "feedback-report"
    _, feedback, headers = report.message.iter_parts()
    assert feedback.get_content_type() == "message/feedback-report"
    [fields] = report.blocks()
    assert fields["Feedback-Type"] == "abuse"
    assert fields["Version"] == "1"
    assert fields["Original-Mail-From"] == "<b+1.x@bounce.test>"
    assert "Original-Rcpt-To" not in fields
    assert "Message-ID: <1@b.test>" in str(headers.get_payload())


@pytest.mark.parametrize(
    ("local_part", "notify", "expected"),
    [
        ("delivered", [], []),
        ("delivered", ["SUCCESS"], ["delivered"]),
        ("delivered", ["FAILURE", "DELAY"], []),
        ("delivered", ["NEVER"], []),
        ("relayed", ["SUCCESS"], ["relayed"]),
        ("relayed", ["FAILURE"], []),
        ("bounced", [], ["failed"]),
        ("bounced", ["FAILURE"], ["failed"]),
        ("bounced", ["SUCCESS", "DELAY"], []),
        ("bounced", ["NEVER"], []),
        ("delayed", [], []),
        ("delayed", ["DELAY"], ["delayed"]),
        ("delayed", ["SUCCESS", "DELAY"], ["delayed", "delivered"]),
        ("late", ["SUCCESS", "FAILURE"], ["delivered", "failed"]),
        ("late", [], ["failed"]),
        ("twice", ["SUCCESS"], ["delivered", "delivered"]),
        ("silent", ["SUCCESS", "FAILURE", "DELAY"], []),
        ("complaint", ["SUCCESS"], ["delivered", "complaint"]),
        ("complaint", ["NEVER"], ["complaint"]),
    ],
)
def test_only_what_was_asked_for_is_reported(local_part: str, notify: list[str], expected: list[str]) -> None:
    assert actions(local_part, *notify) == expected


@pytest.mark.parametrize(
    ("local_part", "status", "words"),
    [
        ("spam", "5.7.1", "spam"),
        ("quarantined", "5.7.0", "quarantined as Q123"),
        ("failed", "5.0.0", "554 5.0.0 Transaction failed"),
    ],
)
def test_a_failure_tells_its_reason(local_part: str, status: str, words: str) -> None:
    [report] = written(received(Recipient(f"{local_part}@sandbox.test")))

    fields = report.blocks()[-1]
    assert (fields["Action"], fields["Status"]) == ("failed", status)
    assert words in fields["Diagnostic-Code"]


def test_nothing_is_reported_to_the_null_sender() -> None:
    assert actions("bounced", sender="") == []


def test_every_recipient_is_reported_on_for_itself() -> None:
    recipients = [Recipient(f"{name}@sandbox.test") for name in ("bounced", "silent", "spam")]

    chains = reports_on(received(*recipients))

    assert [report.recipient.address for [report] in chains] == ["bounced@sandbox.test", "spam@sandbox.test"]
    assert len({report.write(written_at=WRITTEN).split(b"Message-ID: ")[1] for [report] in chains}) == 2


def test_a_report_that_comes_twice_has_one_message_id_and_different_reports_have_two() -> None:
    twice = written(received(Recipient("twice@sandbox.test", ALL)))
    late = written(received(Recipient("late@sandbox.test", ALL)))

    assert len({report.message["Message-ID"] for report in twice}) == 1
    assert len({report.message["Message-ID"] for report in late}) == 2


def test_headers_without_end_are_cut_at_the_end_of_a_line() -> None:
    content = b"X-Long: 0123456789\r\n" * 10_000 + b"\r\nbody"

    [[report]] = reports_on(received(Recipient("bounced@sandbox.test"), content=content))

    assert HEADERS_LIMIT - 20 <= len(report.headers) <= HEADERS_LIMIT
    assert report.headers.endswith(b"X-Long: 0123456789\r\n")
