"""What other servers say, as they say it, and what it means."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from varsel.notifications.classify import classify_failure
from varsel.notifications.send_status import SendStatus

S = SendStatus
LONG = 3_000_000  # characters; what grows with the square of the length would take hours

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
    (S.FAILED, "552 5.3.4 Message size exceeds fixed limit", "5.3.4"),
]  # fmt: skip


@pytest.mark.parametrize(
    "words", ["550 No such mailbox", "550 NO SUCH MAILBOX", "550 NO SUCH MAİLBOX", "550 No ſuch maılbox"]
)
def test_the_case_of_words_says_nothing(words: str) -> None:
    assert classify_failure(words) == classify_failure("550 no such mailbox")


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
    assert classify_failure("550 5.3.4 gone", "5.1.1").send_status is S.FAILED


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


# More of what well-known servers say, by what it means; each line is from another server or version.
NO_SUCH_RECIPIENT = """
550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found
550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient kari@etat.test not found by SMTP address lookup
550 5.1.351 Remote server returned unknown recipient or mailbox unavailable -> 550 : User unknown
550 5.0.350 Remote server returned an error -> 550 5.1.1 The recipient address was rejected. User unknown
550 5.4.1 [kari@etat.test]: Recipient address rejected: Access denied. [DB5.prod.protection.outlook.com]
550 Requested action not taken: mailbox unavailable
550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).
550-5.1.1 The email account that you tried to reach does not exist. Please try\n550 5.1.1 double-checking it
550 #5.1.0 Address rejected.
Sorry, no mailbox here by that name. vpopmail (#5.1.1)
550 User kari@etat.test unknown
550 Unknown local part kari in <kari@etat.test>
554 5.7.1 <kari@etat.test>: Recipient address rejected: user does not exist
550 5.1.1 <kari@etat.test>: Recipient address rejected: unverified address: Address verification failed
550 Invalid Recipient - https://community.mimecast.test/docs/DOC-1369#550
550 permanent failure for one or more recipients (kari@etat.test:550 No such user)
550-5.1.1 Unknown recipient
User kari (kari@etat.test) not listed in public Name & Address Book
User not listed in Domino Directory
553 5.3.0 <kari@etat.test>... Addressee unknown, relay=[192.0.2.1]
550 Recipient Rejected: No account by that name here
550 5.1.1 unknown or illegal alias: kari@etat.test
550 'kari@etat.test' is not a registered user here
550 Empfaenger unbekannt
550 5.1.1 Benutzer unbekannt
550 Cet utilisateur n'existe pas
550 5.1.1 Adresse du destinataire invalide.
550 5.1.1 Brukeren finnes ikke
550 5.1.1 Ukjent mottaker
550 El usuario no existe
550 Utente sconosciuto
550 5.1.1 onbekende gebruiker
host se16-lb4.mailspamprotection.com [192.0.2.25] SMTP error after RCPT TO:<kari@etat.test>: 550 No such user here
The account or domain may not exist, they may be blacklisted, or missing the proper dns entries.
"""
CLOSED = """
550 5.2.1 The email account that you tried to reach is disabled. Learn more at https://support.google.com/mail
550 5.2.1 The email account that you tried to reach is inactive.
554 delivery error: dd Sorry your message cannot be delivered. This account has been disabled or discontinued [#102].
This address no longer accepts mail.
550 This account is no longer active
550 extended mailbox expired
550 5.1.1 Mailbox is closed
550 Mailbox is frozen.
550 konto gesperrt
550 5.2.1 Ce compte est bloque.
525 5.7.13 Disabled recipient address
550 5.1.6 Recipient has moved; no forwarding address
"""
NO_SUCH_DOMAIN = """
Sorry, I couldn't find any host named etat.test. (#5.1.2)
Sorry, I couldn't find a mail exchanger or IP address. (#5.4.4)
unrouteable mail domain "etat.test"
all relevant MX records point to non-existent hosts
an MX or SRV record indicated no SMTP service
550 Host unknown (Authoritative answer from name server)
550 5.4.310 DNS domain etat.test does not exist [Message=InfoDomainNonexistent]
550 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain
DNS Error: 4711 'mx' lookup of etat.test answered NXDOMAIN; domain name not found
unable to look up host etat.test: Name or service not known
550 Host does not accept mail
521 5.3.2 System not accepting network messages
554 No way to deliver: the domain is not reachable. Please check the domain and try again
"""
MALFORMED = """
501 5.1.3 Bad recipient address syntax
malformed address: <kari may not follow
553 The recipient address is not a valid RFC-5321 address
"""
SPAM = """
550-5.7.1 Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam sent
550-5.7.1 likely suspicious due to the very low reputation of the sending IP 550-5.7.1 address.
550 5.7.1 Service unavailable, Client host [192.0.2.1] blocked using Spamhaus. To request removal from this list see
550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent, since part of their network is on our block list.
554 5.7.1 [P4] Message blocked due to spam content in the message.
421 4.7.0 [TS01] Messages from 192.0.2.1 temporarily deferred due to user complaints - 4.16.55.1
554 Service unavailable; Client host [192.0.2.1] blocked using Barracuda Reputation
553-mail rejected because your IP is in the PBL. See http://www.spamhaus.org/pbl
550 5.7.0 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1
550 This message was classified as SPAM and may not be delivered
550 5.7.1 Message scored too high on spam scale. For help, please quote incident ID 1234.
554 5.7.1 Rejected 192.0.2.1 found in dnsbl.sorbs.net
550 5.7.1 Mail from 192.0.2.1 refused, see RBL server bl.spamcop.net
554 5.7.1 Email cannot be delivered. Reason: Email flagged as Spam.
"""
ABOUT_US = """
550 5.7.26 Unauthenticated email from etat.test is not accepted due to domain's DMARC policy.
550-5.7.26 fails to pass SPF checks. To best protect our users from spam and phishing, the message has been blocked
550 5.7.509 Access denied, sending domain [ETAT.TEST] does not pass DMARC verification and has a policy of reject.
550 5.7.23 The message was rejected because of Sender Policy Framework violation
550 5.7.25 The IP address sending this message does not have a PTR record setup
550 5.7.1 Client host rejected: cannot find your hostname, [192.0.2.1]
554 5.7.1 <mx.etat.test>: Helo command rejected: Host not found
550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized
550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; the sender was not authenticated
550 5.1.0 Sender denied as sender's email address is on SenderFilterConfig list
553 5.1.8 <b+1@bounce.test>... Domain of sender address b+1@bounce.test does not exist
550 5.7.1 <b+1@bounce.test>: Sender address rejected: undeliverable address: host mx said: 550 5.1.1 User unknown
550-Verification failed for <b+1@bounce.test> 550-No Such User Here 550 Sender verify failed
550 5.1.7 No such domain bounce.test (in reply to MAIL FROM command)
553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)
550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain
550 5.7.1 <kari@etat.test>... Relaying denied
550 5.7.1 You are not allowed to send mail to this recipient
550 5.7.0 <kari@etat.test>: Recipient address rejected: It carries a virus.
552 5.7.0 This message was blocked because its content presents a potential security issue.
554 5.7.9 Message not accepted for policy reasons.
550 Administrative prohibition
550 5.7.606 Access denied, banned sending IP [192.0.2.1]
554 5.6.0 <kari@etat.test>: Recipient address rejected: Unsupported media
554 5.7.1 <kari@etat.test>: Recipient address rejected: Not on the guest list.
SMTP error from remote mail server after initial connection: 550 Access denied
"""
ABOUT_THE_MOMENT = """
450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages
554 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per hour
550 5.2.2 STOREDRV.Deliver; mailbox full
552-5.2.2 The recipient's inbox is out of storage space and inactive. Please direct the recipient to
552 sorry, kari@etat.test is over quota for a while (#5.1.1)
552 5.2.2 Postfach voll
552 Postboksen er full
550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient
message size 12345 exceeds size limit 10000 of server mx.etat.test[192.0.2.1]
mail for etat.test loops back to myself
554 5.4.14 Hop count exceeded - possible mail loop ATTR34
CNAME lookup failed temporarily. (#4.4.3) I'm not going to try again; this message has been in the queue too long.
550 4.4.7 QUEUE.Expired; message expired
550 5.4.300 Message expired
all hosts for 'etat.test' have been failing for a long time (and retry time not reached)
The recipient server did not accept our requests to connect. [mx.etat.test: socket error]
450 4.7.1 <kari@etat.test>: Recipient address rejected: Greylisted, see http://postgrey.test
connect to mx.etat.test[192.0.2.1]:25: No route to host
450 4.2.1 Mailbox temporarily unavailable
503 5.5.1 Bad sequence of commands
530 5.7.0 Must issue a STARTTLS command first
can't create user output file
"""
MEANINGS = [
    (status, line)
    for status, lines in (
        *((S.FAILED_BOUNCED, lines) for lines in (NO_SUCH_RECIPIENT, CLOSED, NO_SUCH_DOMAIN)),
        (S.FAILED_INVALID_EMAIL_FORMAT, MALFORMED),
        (S.FAILED_FILTERED_SPAM, SPAM),
        *((S.FAILED, lines) for lines in (ABOUT_US, ABOUT_THE_MOMENT)),
    )
    for line in lines.strip().split("\n")
]


@pytest.mark.parametrize(("send_status", "words"), MEANINGS, ids=[words[:60] for _, words in MEANINGS])
def test_what_well_known_servers_say_means(send_status: SendStatus, words: str) -> None:
    assert classify_failure(words).send_status is send_status


def test_the_same_code_has_as_many_meanings_as_servers_give_it() -> None:
    causes = ["Message rejected as spam", "Relay access denied", "user unknown", "local policy"]

    found = [classify_failure(f"550 5.7.1 {cause}", "5.7.1").send_status for cause in causes]

    assert found == [S.FAILED_FILTERED_SPAM, S.FAILED, S.FAILED_BOUNCED, S.FAILED]


def test_why_all_mail_is_looked_at_is_not_why_this_one_was_refused() -> None:
    words = "550 5.7.1 There are multiple Subject headers. To reduce the amount of spam sent to us, it was blocked."

    assert classify_failure(words).send_status is S.FAILED


@pytest.mark.parametrize("name", ["spam.etat.test", "http://blocked.etat.test/policy", "[2001:db8::5.1.1]"])
def test_a_host_or_link_in_the_words_is_not_their_reason(name: str) -> None:
    assert classify_failure(f"550 5.1.1 {name} says: gone").rule == "code: 1.1"


@pytest.mark.parametrize("code", ["4.2.1", "4.4.4", "4.1.2"])
def test_what_failed_for_the_time_being_says_nothing_of_the_address(code: str) -> None:
    assert classify_failure("failed", code).send_status is S.FAILED


def test_a_verdict_is_vague_only_where_better_words_may_stand_elsewhere() -> None:
    assert classify_failure("554 Transaction failed", "5.0.0").is_vague
    assert not classify_failure("550 5.1.1 gone", "5.0.0").is_vague
    assert not classify_failure("550 no such user", "5.0.0").is_vague


@settings(deadline=None, max_examples=300)
@given(st.text(), st.none() | st.text())
@example("550 5.1.1", "")
@example("\udce6 \0", "5.")
@example("550 5.999.999 ٥.١.١", "٥.١.١")
def test_whatever_the_words_a_final_refusal_is_a_failure(words: str, status_code: str | None) -> None:
    assert classify_failure(words, status_code).send_status.startswith("Failed")


PIECES = ["x", "<", "user ", "domain ", "5.1.", "a@", "host or domain name not found ", " ", "\n", "recipient.", "not ",
          "message ", "[1", "https://", "a.", "said: ", "550-5.1.1 "]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_words_of_any_length_are_read(piece: str) -> None:
    assert classify_failure(piece * (LONG // len(piece))).send_status.startswith("Failed")
