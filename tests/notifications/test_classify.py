"""What other servers say, as they say it, and what it means."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from varsel.notifications.classify import classify_failure
from varsel.notifications.send_status import SendStatus

S = SendStatus
CPU_LIMIT = 0.1  # seconds; what grows with the square of the length takes many times that

# Final words of refusal, with the Status field beside them where they came in a report.
REPLIES: list[tuple[SendStatus, str, str | None]] = [
    # There is no such mailbox.
    (S.FAILED_BOUNCED, "550 5.1.1 <kari@etat.test>: Recipient address rejected: User unknown", "5.1.1"),
    (S.FAILED_BOUNCED, "550 5.1.1 The email account that you tried to reach does not exist.\n5.1.1 Try again", None),
    (S.FAILED_BOUNCED, "550 No such user here", "5.0.0"),
    (S.FAILED_BOUNCED, "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by address lookup", None),
    (S.FAILED_BOUNCED, "550 5.4.1 Recipient address rejected: Access denied. [mx1.test 2026-11-30]", "5.4.1"),
    (S.FAILED_BOUNCED, "550 Invalid recipient kari@etat.test", None),
    (S.FAILED_BOUNCED, "554 5.7.1 Mailbox not found", "5.7.1"),
    (S.FAILED_BOUNCED, "550 unknown user", None),
    (S.FAILED_BOUNCED, "554 delivery error: dd This user doesn't have a yahoo.com account (kari@yahoo.com)", None),
    (S.FAILED_BOUNCED, "550 5.1.1", None),
    (S.FAILED_BOUNCED, "", "5.1.1"),
    # There was one.
    (S.FAILED_BOUNCED, "550 5.2.1 The user account is disabled", "5.2.1"),
    (S.FAILED_BOUNCED, "554 5.2.1 This mailbox is inactive", None),
    (S.FAILED_BOUNCED, "551 5.1.6 User not local; please try kari@etat.test", "5.1.6"),
    # There is no such domain, or it takes no mail.
    (S.FAILED_BOUNCED, "Host or domain name not found. Name service error for name=etat.no type=A: Not found", "5.4.4"),
    (S.FAILED_BOUNCED, "Domain etat.test does not accept mail (nullMX)", "5.1.0"),
    (S.FAILED_BOUNCED, "No such domain.", "5.0.0"),
    (S.FAILED_BOUNCED, "556 5.1.10 Recipient address has a null MX", None),
    (S.FAILED_BOUNCED, "unable to route to etat.test", "5.4.4"),
    # The address is no address.
    (S.FAILED_INVALID_EMAIL_FORMAT, "553 5.1.3 Bad recipient address syntax", None),
    (S.FAILED_INVALID_EMAIL_FORMAT, "501 malformed", "5.1.3"),
    # Somebody or something took it for spam.
    (S.FAILED_FILTERED_SPAM, "550 5.7.1 Message content rejected as spam (score 18.2)", "5.7.1"),
    (S.FAILED_FILTERED_SPAM, "554 rejected: message looks like spam", "5.0.0"),
    (S.FAILED_FILTERED_SPAM, "550 SPAM detected", None),
    (S.FAILED_FILTERED_SPAM, "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using spamhaus.org", None),
    (S.FAILED_FILTERED_SPAM, "550 5.7.1 This message is likely unsolicited mail and has been blocked", None),
    (S.FAILED_FILTERED_SPAM, "554 5.7.1 your address is on our blocklist", None),
    (S.FAILED_QUARANTINED, "550 5.7.0 Message quarantined as Q123 (spam)", None),
    # Refused for another reason, which no other status names.
    (S.FAILED, "550 5.7.1 Message rejected due to local policy", "5.7.1"),
    (S.FAILED, "554 5.7.1 Message contains a virus (Eicar-Test)", "5.7.1"),
    (S.FAILED, "554 5.7.1 Relay access denied", "5.7.1"),
    (S.FAILED, "550 5.7.26 Unauthenticated mail is not accepted due to the domain's DMARC policy", "5.7.26"),
    (S.FAILED, "553 5.1.8 Domain of sender address b+1@bounce.test does not exist", "5.1.8"),
    (S.FAILED, "450 4.1.8 Sender address rejected: Domain not found", "4.1.8"),
    (S.FAILED, "552 5.2.2 Mailbox full", "5.2.2"),
    (S.FAILED, "552 5.2.2 The recipient's inbox is out of storage space and inactive. Please direct them to", "5.2.2"),
    (S.FAILED, "452 4.2.2 The email account that you tried to reach is over quota", "4.2.2"),
    (S.FAILED, "connect to mx.etat.test[192.0.2.1]:25: Connection refused", "4.4.1"),
    (S.FAILED, "lost connection with mx.etat.test[192.0.2.1] while sending RCPT TO", "4.4.2"),
    (S.FAILED, "451 4.7.1 Greylisted, try again later", "4.7.1"),
    (S.FAILED, "SMTPUTF8 is required, but was not offered by host mx.etat.test", "5.6.7"),
    (S.FAILED, "554 5.0.0 Transaction failed", "5.0.0"),
    (S.FAILED, "554", None),
    (S.FAILED, "", None),
    (S.FAILED_PAYLOAD_TOO_LARGE, "552 5.3.4 Message size exceeds fixed limit", "5.3.4"),
]  # fmt: skip


@pytest.mark.parametrize(("send_status", "words", "status_code"), REPLIES, ids=[words[:60] for _, words, _ in REPLIES])
def test_a_refusal_means(send_status: SendStatus, words: str, status_code: str | None) -> None:
    assert classify_failure(words, status_code).send_status is send_status


@pytest.mark.parametrize("address", ["<spam@etat.test>", "spam@etat.test", "<kari@spam.test>", "kari@junk.etat.test"])
def test_the_address_in_a_reply_is_not_its_reason(address: str) -> None:
    verdict = classify_failure(f"550 5.1.1 {address}: User unknown")

    assert verdict.send_status is S.FAILED_BOUNCED


def test_the_name_of_a_mail_server_is_not_its_reason() -> None:
    words = "host mx.spam.etat.test[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command)"

    assert classify_failure(words, "5.1.1").send_status is S.FAILED_BOUNCED


def test_the_network_address_of_a_mail_server_is_not_a_code() -> None:
    verdict = classify_failure("connect to mx.etat.test[5.1.1.20]:25: Connection timed out", "4.4.1")

    assert verdict.send_status is S.FAILED


def test_the_code_in_the_words_comes_before_the_one_beside_them() -> None:
    assert classify_failure("550 5.1.1 gone", "5.0.0").send_status is S.FAILED_BOUNCED
    assert classify_failure("550 5.3.4 gone", "5.1.1").send_status is S.FAILED_PAYLOAD_TOO_LARGE


def test_the_code_beside_the_words_counts_where_they_hold_none_that_we_know() -> None:
    assert classify_failure("550 gone", "5.1.1").send_status is S.FAILED_BOUNCED
    assert classify_failure("550 5.9.9 gone", "5.1.1").send_status is S.FAILED_BOUNCED


def test_a_code_of_the_last_try_means_what_it_means_when_final() -> None:
    assert classify_failure("450 4.1.1 gone", "4.1.1").send_status is S.FAILED_BOUNCED


def test_a_name_server_that_does_not_answer_says_nothing_of_the_domain() -> None:
    words = "Host or domain name not found. Name service error for name=etat.test type=MX: Host not found, try again"

    assert classify_failure(words, "4.4.3").send_status is S.FAILED


@pytest.mark.parametrize("code", ["450 4.2.1", "550 5.2.1"])
@pytest.mark.parametrize("how", ["mail too quickly", "email too quickly", "email at a rate that prevents more"])
def test_a_recipient_who_gets_too_much_mail_exists(code: str, how: str) -> None:
    verdict = classify_failure(f"{code} The user you are trying to contact is receiving {how}", code[4:])

    assert verdict.send_status is S.FAILED


@pytest.mark.parametrize("words", ["550 Unrouteable address", "550 unrouteable address kari@etat.test"])
def test_an_address_that_leads_nowhere_bounces(words: str) -> None:
    assert classify_failure(words).send_status is S.FAILED_BOUNCED


def test_a_verdict_names_its_rule() -> None:
    assert classify_failure("550 SPAM detected").rule == "text: spam"
    assert classify_failure("550 5.1.1 gone").rule == "code: 1.1"
    assert classify_failure("550 gone").rule == "no rule fits"


@settings(deadline=None, max_examples=300)
@given(st.text(), st.none() | st.text())
@example("550 5.1.1", "")
@example("\udce6 \0", "5.")
@example("550 5.999.999 ٥.١.١", "٥.١.١")
def test_whatever_the_words_a_final_refusal_is_a_failure(words: str, status_code: str | None) -> None:
    assert classify_failure(words, status_code).send_status.startswith("Failed")


@pytest.mark.parametrize("piece", ["x", "<", "user ", "domain ", "5.1.", "a@", "host or domain name not found "])
def test_words_of_any_length_are_read_in_no_time(piece: str) -> None:
    words = piece * (30_000 // len(piece))
    started = time.process_time()

    classify_failure(words)

    assert time.process_time() - started < CPU_LIMIT
