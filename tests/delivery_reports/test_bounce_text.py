"""Reports that are running text: one sample of each family of mail systems, and what they may not be taken for."""

import pytest

from tests.delivery_reports.samples import new_bounce
from varsel.delivery_reports.read import read_report
from varsel.notifications.send_status import SendStatus

S = SendStatus

QUOTED = """
Return-Path: <b+1@bounce.test>
Received: from svc.test by mx.etat.test
Message-ID: <n-1@svc.test>
To: kari@etat.test
Subject: Your mailbox is full of spam, user unknown
"""
QMAIL = """Hi. This is the qmail-send program at mx.svc.test.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<kari@etat.test>:
192.0.2.25 does not like recipient.
Remote host said: {words}
Giving up on 192.0.2.25.

--- Below this line is a copy of the message.
"""
EXIM = """This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  kari@etat.test
    host mx.spam.test [192.0.2.25]
    SMTP error from remote mail server after RCPT TO:<kari@etat.test>:
    {words}

------ This is a copy of the message, including all the headers. ------
"""
SENDMAIL = """   ----- The following addresses had permanent fatal errors -----
<kari@etat.test>

   ----- Transcript of session follows -----
... while talking to mx.etat.test.:
>>> RCPT To:<kari@etat.test>
<<< {words}
550 <kari@etat.test>... {words}

   ----- Original message follows -----
"""
POSTFIX = """This is the mail system at host mx.svc.test.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to <postmaster>

<kari@etat.test>: host mx.etat.test[192.0.2.25] said: {words}
    (in reply to RCPT TO command)
"""
EXCHANGE = """Your message did not reach some or all of the intended recipients.

      Subject:  Delivery of your mailbox was delayed, user unknown
      Sent:     30.11.2026 09:00

The following recipient(s) could not be reached:

      kari@etat.test on 30.11.2026 09:00
            {words}
"""
GMAIL = """Delivery to the following recipient failed permanently:

     kari@etat.test

Technical details of permanent failure:
Google tried to deliver your message, but it was rejected by the server for the recipient domain etat.test.
The error that the other server returned was:
{words}

----- Original message -----
"""
FAMILIES = [QMAIL, EXIM, SENDMAIL, POSTFIX, EXCHANGE, GMAIL]
NAMES = ["qmail", "Exim", "Sendmail", "Postfix", "Exchange", "Gmail"]
WORDS = [
    (S.FAILED_BOUNCED, "550 5.1.1 User unknown"),
    (S.FAILED, "552 5.2.2 Mailbox full"),
    (S.FAILED_FILTERED_SPAM, "550 5.7.1 Message rejected as spam"),
    (S.FAILED, "553 5.1.8 Domain of sender address b+1@bounce.test does not exist"),
]


@pytest.mark.parametrize(("status", "words"), WORDS, ids=[words for _, words in WORDS])
@pytest.mark.parametrize("family", FAMILIES, ids=NAMES)
def test_a_bounce_of_a_known_family_is_read(family: str, status: SendStatus, words: str) -> None:
    [reading] = read_report(new_bounce(family.format(words=words) + QUOTED)).readings

    assert (reading.recipient, reading.outcome) == ("kari@etat.test", status)
    assert words in reading.detail
    assert "full of spam" not in reading.detail


OTHERS = [
    (S.FAILED_BOUNCED, "Delivery failed", "Unable to deliver to: <kari@etat.test>\nThis user doesn't have an account."),
    (S.FAILED, "Returned mail: Hei", "User's mailbox is full: <kari@etat.test>\nUnable to deliver mail.\n"),
    (S.FAILED_BOUNCED, "Mail System Error - Returned Mail", "<kari@etat.test>:\nユーザが見つかりません\n"),
    (S.FAILED_BOUNCED, "DELIVERY FAILURE", "Your message could not be delivered to\n\nkari@etat.test\n\nbecause:\n"
        "User kari (kari@etat.test) not listed in public Name & Address Book\n"),
    (S.FAILED_BOUNCED, "Unzustellbar: Hei", "kari@etat.test\nDer Empfänger ist unbekannt.\n"),
    (S.FAILED_BOUNCED, "Ikke levert: Hei", "Meldingen kunne ikke leveres til\nkari@etat.test\nUkjent bruker\n"),
    (S.FAILED_BOUNCED, "Echec de la remise", "kari@etat.test\nCet utilisateur n'existe pas.\n"),
    (S.FAILED, "failure notice", "<kari@etat.test>:\nSorry, the whole thing went wrong.\n"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "subject", "text"), OTHERS, ids=[subject for _, subject, _ in OTHERS])
def test_a_bounce_of_another_server_is_read(status: SendStatus, subject: str, text: str) -> None:
    [reading] = read_report(new_bounce(text, subject=subject)).readings

    assert (reading.recipient, reading.outcome) == ("kari@etat.test", status)


def test_each_recipient_has_words_of_its_own() -> None:
    text = "<kari@etat.test>:\nRemote host said: 550 User unknown\n\n<ola@etat.test>:\nThis account is over quota.\n"

    readings = read_report(new_bounce(text, subject="failure notice")).readings

    assert [(one.recipient, one.outcome) for one in readings] == [
        ("kari@etat.test", S.FAILED_BOUNCED),
        ("ola@etat.test", S.FAILED),
    ]


def test_whom_the_header_names_counts_before_whom_the_text_names() -> None:
    content = new_bounce(
        "kari@etat.test\n  (generated from post@etat.test)\n  User unknown\n",
        headers="X-Failed-Recipients: post@etat.test\n",
    )

    [reading] = read_report(content).readings

    assert reading.recipient == "post@etat.test"


def test_where_the_text_names_nobody_the_quoted_mail_does() -> None:
    [reading] = read_report(new_bounce("The mail could not be delivered: user unknown\n" + QUOTED)).readings

    assert (reading.recipient, reading.outcome) == ("kari@etat.test", S.FAILED_BOUNCED)


DELAYS = [
    ("Warning: could not send message for past 4 hours", "THIS IS A WARNING MESSAGE ONLY.\n<kari@etat.test>\n"
        "Deferred: 450 User unknown\nWill keep trying until message is 5 days old\n"),
    ("Warning: message 1x-2 delayed 24 hours", "A message that you sent has not yet been delivered\n\n kari@etat.test\n"
        "    Delay reason: 450 4.1.1 user unknown\nNo action is required on your part.\n"),
    ("Delivery Status Notification (Delay)", "Delivery to the following recipient has been delayed:\n\n"
        " kari@etat.test\nMessage will be retried for 2 more day(s)\n"),
    ("Delayed Mail (still being retried)", "Your message could not be delivered for 4.0 hours.\n"
        "It will be retried until it is 5.0 days old.\n<kari@etat.test>: user unknown\n"),
    ("Delivery delayed: Hei", "This message hasn't been delivered yet. Delivery will continue to be attempted.\n"),
]  # fmt: skip


@pytest.mark.parametrize(("subject", "text"), DELAYS, ids=[subject for subject, _ in DELAYS])
def test_a_server_that_still_tries_has_not_failed(subject: str, text: str) -> None:
    readings = read_report(new_bounce(text + QUOTED, subject=subject)).readings

    assert {(one.outcome, one.rule) for one in readings} == {("none", "bounce text: delay")}


@pytest.mark.parametrize("subject", ["Undeliverable: Toget er forsinket", "Returned mail: Delayed trains"])
def test_our_own_subject_in_a_report_makes_no_delay_of_it(subject: str) -> None:
    [reading] = read_report(new_bounce("<kari@etat.test>:\n550 User unknown\n", subject=subject)).readings

    assert reading.outcome is S.FAILED_BOUNCED


def test_text_in_an_older_character_set_is_read() -> None:
    content = new_bounce("<kari@etat.test>:\nPostfach überfüllt\n", subject="failure notice", charset="latin-1")

    [reading] = read_report(content).readings

    assert reading.rule == "bounce text: mailbox full"
    assert "überfüllt" in reading.detail


def test_a_report_in_markup_only_is_read() -> None:
    html = "<html><style>p {x: spam}</style><p>Delivery has failed to:</p><p><a href='mailto:kari@etat.test'>"
    html += "&lt;kari@etat.test&gt;</a></p><p>The address couldn't be found.</p></html>"
    content = new_bounce(html, subject="Undeliverable: Hei").replace(b"text/plain", b"text/html")

    [reading] = read_report(content).readings

    assert (reading.recipient, reading.outcome) == ("kari@etat.test", S.FAILED_BOUNCED)
