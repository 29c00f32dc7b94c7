"""Reading DSNs: what the standards say, what servers make of them, and what anybody might send."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.delivery_reports.samples import HEADERS, MAIL_FIELDS, new_dsn, recipient_fields
from varsel.delivery_reports.dsn import Action, RecipientReport, dsn_in
from varsel.delivery_reports.parts import take_apart
from varsel.sandbox.fates import FATES, Fate, Outcome
from varsel.sandbox.handler import Envelope, Recipient
from varsel.sandbox.mailbox import ReceivedMessage
from varsel.sandbox.reports import reports_on

NOW = datetime(2026, 11, 30, 8, 0, 0, tzinfo=UTC)
ALL = frozenset({"SUCCESS", "FAILURE", "DELAY"})
UNKNOWN = RecipientReport(Action.FAILED, "5.1.1", "550 5.1.1 User unknown")
LONG = 10 * 1024 * 1024  # bytes; what grows with the square of the length would take hours
SUBTYPES = ["delivery-status", "global-delivery-status"]


def read_dsn(content: bytes) -> list[RecipientReport]:
    """What the DSN says about each recipient, without whom it names; that is another test's."""
    dsn = dsn_in(take_apart(content))
    reports = dsn.reports if dsn else ()
    return [RecipientReport(report.action, report.status_code, report.diagnostic) for report in reports]


@pytest.mark.parametrize("smtputf8", [False, True])
@pytest.mark.parametrize("fate", FATES.values(), ids=FATES.keys())
def test_what_the_sandbox_writes_is_read(smtputf8: bool, fate: Fate) -> None:
    envelope = Envelope("b+1@bounce.test", (Recipient(f"{fate.name}@sandbox.test", ALL),), smtputf8=smtputf8)
    message = ReceivedMessage("4F0A", NOW, envelope, b"Subject: Hei\r\n\r\nHei\r\n")

    found = [read_dsn(report.write(written_at=NOW)) for chain in reports_on(message) for report in chain]

    assert found == [
        [RecipientReport(Action(news.action), news.status, news.diagnostic.partition("; ")[2])]
        if isinstance(news, Outcome)
        else []  # a complaint is no delivery report
        for news in fate.reports
    ]


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r"])
def test_a_report_is_read_whatever_its_type_and_line_ends(subtype: str, line_end: bytes) -> None:
    content = new_dsn(recipient_fields(), subtype=subtype).replace(b"\r\n", line_end)

    assert read_dsn(content) == [UNKNOWN]


@pytest.mark.parametrize("action", list(Action))
def test_every_action_is_read(action: Action) -> None:
    [report] = read_dsn(new_dsn(recipient_fields(action)))

    assert report.action is action


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("encoding", ["7bit", "8bit", "binary", "base64"])
def test_the_encoding_of_the_status_part_does_not_matter(subtype: str, encoding: str) -> None:
    assert read_dsn(new_dsn(recipient_fields(), subtype=subtype, encoding=encoding)) == [UNKNOWN]


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_each_recipient_is_read_in_order(subtype: str) -> None:
    blocks = [
        recipient_fields(),
        recipient_fields("delayed", "4.4.1", "smtp; 451 Later"),
        recipient_fields("delivered"),
    ]

    found = read_dsn(new_dsn(*blocks, subtype=subtype))

    assert [report.action for report in found] == [Action.FAILED, Action.DELAYED, Action.DELIVERED]
    assert found[1] == RecipientReport(Action.DELAYED, "4.4.1", "451 Later")


@pytest.mark.parametrize(
    ("block", "report"),
    [
        (recipient_fields(diagnostic=""), RecipientReport(Action.FAILED, "5.1.1", "")),
        (recipient_fields(status="", diagnostic=""), RecipientReport(Action.FAILED, "", "")),
        (recipient_fields(status="5.1.1 (no such user)"), UNKNOWN),
        (recipient_fields("Failed"), UNKNOWN),
        (recipient_fields().replace(b"Action", b"ACTION").replace(b"Status", b"status"), UNKNOWN),
        (recipient_fields().replace(b": ", b":"), UNKNOWN),
        (recipient_fields().replace(b": ", b":    "), UNKNOWN),
        (recipient_fields().replace(b"smtp; ", b"SMTP;"), UNKNOWN),
        (recipient_fields().replace(b"User unknown", b"User\r\n unknown"), UNKNOWN),
        (recipient_fields().replace(b"User unknown", b"\r\n\t\tUser  \r\n  unknown"), UNKNOWN),
        (recipient_fields().replace(b"Final-Recipient: rfc822; kari@etat.test\r\n", b""), UNKNOWN),
        (b"Original-Recipient: rfc822;kari@etat.test\r\n" + recipient_fields() + b"X-Own: 1\r\n", UNKNOWN),
        (recipient_fields(diagnostic="X-Own; no; really"), RecipientReport(Action.FAILED, "5.1.1", "no; really")),
        (recipient_fields(diagnostic="550 gone"), RecipientReport(Action.FAILED, "5.1.1", "550 gone")),
        (recipient_fields(diagnostic="smtp; 550 n\0o"), RecipientReport(Action.FAILED, "5.1.1", "550 no")),
        (recipient_fields() + recipient_fields("delivered", "2.0.0", "smtp; 250"), UNKNOWN),  # the first counts
    ],
)  # fmt: skip
def test_fields_are_read_as_servers_write_them(block: bytes, report: RecipientReport) -> None:
    assert read_dsn(new_dsn(block)) == [report]


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_spaces_before_the_colon_do_not_matter(subtype: str) -> None:
    block = (
        recipient_fields().replace(b":", b" :", 1).replace(b"Action:", b"Action :").replace(b"Status:", b"Status  :")
    )

    assert read_dsn(new_dsn(block, subtype=subtype)) == [UNKNOWN]


@pytest.mark.parametrize("words", ["550 5.1.1 gone; ask the postmaster", "550-5.1.1 gone; 550 5.1.1 really"])
def test_a_diagnostic_without_its_type_is_read_whole(words: str) -> None:
    [report] = read_dsn(new_dsn(recipient_fields(diagnostic=words)))

    assert report.diagnostic == words


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_words_in_utf8_are_kept_as_they_came(subtype: str) -> None:
    block = recipient_fields(diagnostic="smtp; 550 5.1.1 brukeren på øya er ukjent")

    [report] = read_dsn(new_dsn(block, subtype=subtype, encoding="8bit"))

    assert report.diagnostic == "550 5.1.1 brukeren på øya er ukjent"


@pytest.mark.parametrize("subtype", SUBTYPES)
def test_words_that_are_no_utf8_can_be_stored(subtype: str) -> None:
    block = recipient_fields(diagnostic="smtp; 550 5.1.1 p? ?ya").replace(b"?", b"\xe5")

    [report] = read_dsn(new_dsn(block, subtype=subtype))

    assert report.diagnostic.startswith("550 5.1.1 p")
    assert report.diagnostic.encode()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\r\n", id="an empty line"),
        pytest.param(b"Subject: Hei\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n", id="an ordinary mail"),
        pytest.param(
            b"Subject: Away\r\nAuto-Submitted: auto-replied\r\n\r\nBack on Monday.\r\n", id="a vacation reply"
        ),
        pytest.param(new_dsn(), id="no recipient"),
        pytest.param(new_dsn(mail_fields=b""), id="no fields at all"),
        pytest.param(new_dsn(recipient_fields()).replace(b"message/delivery-status", b"text/plain"), id="another type"),
        pytest.param(
            new_dsn(recipient_fields()).partition(b"--B\r\nContent-Type: message/d")[0] + HEADERS, id="cut short"
        ),
        pytest.param(
            new_dsn(recipient_fields())
            .replace(b"delivery-status", b"feedback-report")
            .replace(b"Action", b"Feedback-Type"),
            id="a complaint",
        ),
    ],
)
def test_what_is_no_report_yields_nothing(content: bytes) -> None:
    assert read_dsn(content) == []


def test_what_a_part_without_headers_quotes_is_its_text() -> None:
    # RFC 2046 section 5.1: a part that begins with an empty line has no headers.
    quoting = b"--B\r\n\r\nContent-Type: message/delivery-status\r\n\r\n" + MAIL_FIELDS + b"\r\n" + recipient_fields()
    reply = b"Content-Type: multipart/mixed; boundary=B\r\n\r\n" + quoting + b"--B--\r\n"

    assert read_dsn(reply) == []


def test_a_part_that_breaks_off_is_read_as_far_as_it_goes() -> None:
    assert read_dsn(new_dsn(recipient_fields()).partition(HEADERS)[0]) == [UNKNOWN]


def test_a_report_that_was_passed_on_inside_another_mail_is_read() -> None:
    inner = new_dsn(recipient_fields())
    outer = b"Content-Type: multipart/mixed; boundary=O\r\n\r\n--O\r\nContent-Type: message/rfc822\r\n\r\n"

    assert read_dsn(outer + inner + b"\r\n--O--\r\n") == [UNKNOWN]


PIECES = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"--B\r\n", b"--B--\r\n", b": ", b";", b"\0", b"\xff", b" ", b"\t"),
        *(b"Content-Type: message/delivery-status\r\n", b"Content-Type: message/global-delivery-status\r\n"),
        *(b"Content-Type: multipart/report; boundary=B\r\n", b"Content-Type: message/rfc822\r\n", b"Content-Type: "),
        *(
            b"Content-Type: text/plain; charset=foo\r\n",
            b"charset*0*=foo''%ff\r\n",
            b"=?utf-8?b?\xff?=",
            b"=?x?q?=E6?=",
        ),
        *(b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n"),
        *(b"Content-Transfer-Encoding: x-uuencode\r\n", b"begin 644 x\r\n", b"M\xff\r\n", b"Action: failed\r\n"),
        *(b"Status: 5.1.1\r\n", b"Diagnostic-Code: smtp; ", MAIL_FIELDS, recipient_fields()),
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.binary() | st.lists(PIECES, max_size=20).map(b"".join))
@example(new_dsn(b"Content-Type: text/plain; charset=foo\r\n" + recipient_fields() + b"no field \xff\r\n"))
@example(new_dsn(recipient_fields().rstrip() + b"\r\nContent-Type: text/plain; charset=foo\r\nno field \xff\r\n"))
@example(new_dsn(b"Content-Type: \xff; charset=\xff\r\nContent-Transfer-Encoding: \xff\r\n\xff" + recipient_fields()))
def test_no_bytes_are_too_broken_to_read(content: bytes) -> None:
    for report in read_dsn(content):
        assert f"{report.status_code} {report.diagnostic}".encode()
        assert "\0" not in report.status_code + report.diagnostic


@settings(deadline=None, max_examples=200)
@given(st.lists(PIECES, max_size=8).map(b"".join), st.sampled_from(SUBTYPES), st.sampled_from(["", "base64", "8bit"]))
@example(b"Content-Type: text/plain; charset=foo\r\nno field \xff\r\n", "global-delivery-status", "")
def test_no_status_part_is_too_broken_to_read(block: bytes, subtype: str, encoding: str) -> None:
    for report in read_dsn(new_dsn(recipient_fields() + block, block, subtype=subtype, encoding=encoding)):
        assert f"{report.status_code} {report.diagnostic}".encode()
        assert "\0" not in report.status_code + report.diagnostic


@pytest.mark.parametrize("depth", [50, 500, 5_000])
def test_parts_within_parts_are_read_to_some_depth_and_never_fail(depth: int) -> None:
    parts = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number) for number in range(depth)
    )

    assert read_dsn(parts + new_dsn(recipient_fields())) in ([UNKNOWN], [])
    assert read_dsn(b"Content-Type: message/rfc822\r\n\r\n" * depth + new_dsn(recipient_fields())) in ([UNKNOWN], [])


@pytest.mark.parametrize(
    "piece", [b"x", b"\r\n", b"X: y\r\n", b"\r\n\r\nAction: delayed", b" folded\r\n", b"--B\r\n", b"=?", b"\xff", b";"]
)
def test_a_report_of_any_length_is_read(piece: bytes) -> None:
    content = new_dsn(recipient_fields() + piece * (LONG // len(piece)))

    assert read_dsn(content)[0].action is Action.FAILED


@pytest.mark.parametrize("word", ["expired", "Expired", "failure", "undeliverable", "failed (bad address)", "failed;"])
def test_other_words_for_a_failure_are_one(word: str) -> None:
    [report] = read_dsn(new_dsn(recipient_fields(word, "4.4.7")))

    assert report.action is Action.FAILED


@pytest.mark.parametrize(("action", "status"), [("", "5.1.1"), ("failedly", "5.1.1"), ("", "550")])
def test_without_an_action_a_final_code_is_a_failure(action: str, status: str) -> None:
    [report] = read_dsn(new_dsn(recipient_fields(action, status)))

    assert report.action is Action.FAILED


def test_without_action_and_status_the_diagnostic_tells() -> None:
    [report] = read_dsn(new_dsn(recipient_fields("", "")))

    assert report.action is Action.FAILED


@pytest.mark.parametrize(("action", "status"), [("", "4.4.1"), ("", "2.0.0"), ("deliverable", "2.0.0")])
def test_what_may_still_arrive_has_no_action(action: str, status: str) -> None:
    [report] = read_dsn(new_dsn(recipient_fields(action, status, "smtp; 250 fine")))

    assert report.action is None


@pytest.mark.parametrize(
    ("field", "recipient"),
    [
        ("Final-Recipient: rfc822; kari@etat.test", "kari@etat.test"),
        ("Final-Recipient: RFC822;<Kari@etat.test>", "Kari@etat.test"),
        ("Final-Recipient: utf-8; kåre@øya.test", "kåre@øya.test"),
        ("Final-Recipient: kari@etat.test", "kari@etat.test"),
        ('Final-Recipient: rfc822; "a..b"@etat.test', '"a..b"@etat.test'),
        ("Original-Recipient: rfc822;kari@etat.test", "kari@etat.test"),
        ("Final-Recipient: rfc822;", None),
    ],
)
def test_the_recipient_is_named_however_it_is_written(field: str, recipient: str | None) -> None:
    dsn = dsn_in(take_apart(new_dsn(f"{field}\r\nAction: failed\r\nStatus: 5.1.1\r\n".encode())))

    assert dsn is not None
    assert [report.recipient for report in dsn.reports] == [recipient]


def test_a_recipient_in_the_block_about_the_mail_is_read() -> None:
    assert read_dsn(new_dsn(mail_fields=MAIL_FIELDS + recipient_fields())) == [UNKNOWN]


def test_a_recipient_named_in_a_block_of_its_own_is_joined_to_what_follows() -> None:
    fields = recipient_fields().replace(b"etat.test\r\n", b"etat.test\r\n\r\n", 1)

    assert read_dsn(new_dsn(fields)) == [UNKNOWN]
