"""Whatever anybody sends, a report is read: nothing raises, nothing grows without bound, everything can be stored.

The sizes are such that anything that grows with the square of the length would take minutes or hours.
"""

from itertools import chain

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.delivery_reports.samples import MAIL_FIELDS, new_answer, new_bounce, new_complaint, new_dsn, recipient_fields
from varsel.delivery_reports.bounce_text import RECIPIENTS_LIMIT
from varsel.delivery_reports.read import DETAIL_LIMIT, Report, read_report
from varsel.delivery_reports.references import LENGTH_LIMIT, REFERENCES_LIMIT

LONG = 10 * 1024 * 1024  # bytes; what the intake takes
DAEMON = b"From: MAILER-DAEMON@x.test\nSubject: Undelivered mail\n"
REPORT = DAEMON + b"Content-Type: multipart/report; boundary=B\n\n"
STATUS = REPORT + b"--B\nContent-Type: message/delivery-status\n\n"
FAILED = STATUS + b"Final-Recipient: rfc822; a@b.test\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; "

# Where the long run stands.
PLACES = {
    "text": DAEMON + b"\n",
    "markup": DAEMON + b"Content-Type: text/html\n\n",
    "field": b"X-Own: ",
    "subject": b"Subject: ",
    "type": b"Content-Type: multipart/report; ",
    "parts": REPORT,
    "status": STATUS,
    "diagnostic": FAILED,
    "base64": DAEMON + b"Content-Transfer-Encoding: base64\n\n",
    "quoted mail": REPORT + b"--B\nContent-Type: message/rfc822\n\nFrom: x\n",
    "Japanese": DAEMON + b"Content-Type: text/plain; charset=shift_jis\n\n\xff",
}
PIECES = [
    *(b"a", b"<", b" ", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"-", b"--B\n"),
    *(b"\n--Bx", b"\n ", b"user ", b"a@", b"a."),
    *(b"<a@b.test>:\n", b"a@b.test ", b"Received: from x\n", b"> ", b"said: ", b"550 5.1.1 ", b"=?utf-8?b?", b"\x1b$B"),
    *(b"original message ", b"the message ", b"will ", b"<a ", b"<style", b"Content-Type: message/rfc822\n\n"),
]  # fmt: skip


def assert_bounded(report: Report) -> None:
    references = report.references
    named = chain(references.return_paths, references.envelope_ids, references.message_ids, references.recipients)
    words = [word for one in report.readings for word in (one.recipient or "", one.rule, one.detail)] + list(named)

    assert 1 <= len(report.readings) <= RECIPIENTS_LIMIT
    assert all(
        len(word) <= max(DETAIL_LIMIT, LENGTH_LIMIT) and "\0" not in word and word.encode() for word in words if word
    )
    assert len(words) <= 3 * RECIPIENTS_LIMIT + 4 * REFERENCES_LIMIT


@pytest.mark.parametrize("piece", PIECES, ids=repr)
@pytest.mark.parametrize("place", PLACES)
def test_a_run_of_anything_anywhere_is_read(place: str, piece: bytes) -> None:
    assert_bounded(read_report((PLACES[place] + piece * (LONG // len(piece)))[:LONG]))


BOMBS = {
    "parts within parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (depth, depth) for depth in range(50_000)
    ),
    "mails within mails": b"Content-Type: message/rfc822\n\n" * 300_000,
    "many parts": REPORT + b"--B\nContent-Type: text/plain\n\nuser unknown\n" * 200_000,
    "long parts": REPORT + (b"--B\n\n" + b"the mailbox of a@b.test could not be found: " * 2_000 + b"\n") * 100,
    "many fields": b"".join(b"X-%d: y\n" % number for number in range(500_000)),
    "long fields": (b"X: " + b"y" * 1_000_000 + b"\n") * 10,
    "many recipients": STATUS
    + b"".join(
        b"Final-Recipient: rfc822; a%d@b.test\nAction: failed\nDiagnostic-Code: smtp; %s\n\n" % (number, b"user " * 300)
        for number in range(5_000)
    ),
    "many failed recipients": DAEMON
    + b"X-Failed-Recipients: "
    + b", ".join(b"a%d@b.test" % number for number in range(20_000))
    + b"\n\n"
    + b"".join(b"a%d@b.test: user\n" % number for number in range(20_000)),
    "many complainants": new_complaint("Feedback-Type: abuse\n" + "Original-Rcpt-To: a@b.test\n" * 100_000),
    "many references": b"References: " + b"<a@b.test> " * 500_000 + b"\n\n",
    "an entity of many digits": DAEMON + b"Content-Type: text/html\n\n&#" + b"9" * 1_000_000 + b";",
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_read(content: bytes) -> None:
    assert_bounded(read_report(content))


def test_a_report_beyond_the_first_parts_is_not_looked_for() -> None:
    parts = b"--B\nContent-Type: text/plain\n\nHei\n" * 1_000

    [reading] = read_report(b"Content-Type: multipart/mixed; boundary=B\n\n" + parts + STATUS).readings

    assert reading.outcome == "none"


SAMPLES = [
    new_dsn(recipient_fields()),
    new_dsn(recipient_fields("delayed", "4.4.1"), encoding="base64"),
    new_bounce("<kari@etat.test>:\n550 5.1.1 User unknown\n"),
    new_complaint(),
    new_answer(headers="Auto-Submitted: auto-replied\n"),
]
FRAGMENTS = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"--B\r\n", b"--B--\r\n", b": ", b";", b"\0", b"\xff", b" ", b"<"),
        *(b"Content-Type: message/delivery-status\r\n", b"Content-Type: message/feedback-report\r\n", b"@"),
        *(b"Content-Type: multipart/report; boundary=B\r\n", b"Content-Type: message/rfc822\r\n", b"boundary=\r\n"),
        *(b"Content-Type: text/html; charset=iso-2022-jp\r\n", b"Content-Type: ", b"\x1b$B"),
        *(b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n"),
        *(b"=?utf-8?q?=FF?=", b"Content-Type: text/plain; charset=\xff\r\n"),
        *(b"Subject: Undelivered\r\n", b"From: MAILER-DAEMON\r\n", b"X-Failed-Recipients: a@b\r\n", b"a@b:\r\n"),
        *(b"Action: failed\r\n", b"Status: 5.1.1\r\n", b"Diagnostic-Code: smtp; ", MAIL_FIELDS, recipient_fields()),
        *(b"Feedback-Type: abuse\r\n", b"Original-Rcpt-To: <>\r\n", b"---- Original message ----\r\n"),
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.binary() | st.lists(FRAGMENTS, max_size=25).map(b"".join))
@example(b"")
@example(b"\n")
@example(b"Content-Type: text/html\n\n&#xD800;\xed\xa0\x80")
def test_no_bytes_are_too_broken_to_read(content: bytes) -> None:
    assert_bounded(read_report(content))


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(SAMPLES), st.integers(0, 2_000), st.integers(0, 200), st.binary(max_size=20) | FRAGMENTS)
def test_no_report_is_too_broken_to_read(sample: bytes, at: int, length: int, instead: bytes) -> None:
    assert_bounded(read_report(sample[:at] + instead + sample[at + length :]))
