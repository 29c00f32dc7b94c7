"""What a mail that came to a return path says: about whom, to what effect, by which rule, and in whose words.

complaint          the status stays: somebody had the mail in hand
receipt            the status stays
DSN                Action decides; what failed is classified by its diagnostic, else by the text for people
automatic answer   the status stays
other bounce       classified by its text, without the mail that it quotes
forwarded DSN      as a DSN
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from varsel.delivery_reports.addresses import addresses_in
from varsel.delivery_reports.auto_reply import is_auto_replied, is_receipt, says_away
from varsel.delivery_reports.bounce_signs import is_bounce, is_delay, is_receipt_of_delivery
from varsel.delivery_reports.bounce_text import RECIPIENTS_LIMIT, failures_in
from varsel.delivery_reports.complaint import Complaint, complaint_in
from varsel.delivery_reports.dsn import Action, Dsn, RecipientReport, dsn_in, dsn_in_text
from varsel.delivery_reports.parts import Mail, take_apart
from varsel.delivery_reports.quoted_mail import human_text, quoted_headers
from varsel.delivery_reports.references import References, references_of
from varsel.notifications.classify import classify_failure, quarantine_in
from varsel.notifications.send_status import SendStatus

__all__ = ["Outcome", "Reading", "References", "Report", "read_report"]

Outcome: TypeAlias = SendStatus | Literal["complaint", "none"]

DETAIL_LIMIT = 2_000  # characters


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail says about one recipient; of a mail that says nothing there is one, with the outcome "none"."""

    recipient: str | None  # as the mail has it; None where it does not say
    outcome: Outcome  # a final send status, or what leaves the status alone
    rule: str  # which rule said so, for operators
    detail: str  # the other side's own words, "" where there are none
    action: Action | None = None  # of a delivery status notification


@dataclass(frozen=True, slots=True)
class Report:
    """A mail that came back, read."""

    readings: tuple[Reading, ...]  # never empty
    references: References


@dataclass(frozen=True, slots=True)
class _Returned:
    """A mail that came back, taken apart."""

    mail: Mail
    text: str  # its own words, for people
    quoted: Sequence[Mapping[str, str]]  # headers of the mails inside it

    @property
    def intended(self) -> list[str]:
        """Whom the quoted mail was for, where it had one recipient as ours have."""
        return next((found for head in self.quoted if len(found := addresses_in(head.get("to", "")[:1_000])) == 1), [])


def read_report(content: bytes) -> Report:
    """Read what came back. Never raises, whatever it is given; `relayed` counts as Delivered here."""
    mail = take_apart(content)
    text, quoted = human_text(mail)
    returned = _Returned(mail, text, quoted_headers(mail, quoted))
    complaint = complaint_in(mail)
    dsn = dsn_in(mail, level=0) or dsn_in_text(text)
    readings = _readings(returned, complaint, dsn)
    references = references_of(mail.fields, returned.quoted, complaint, dsn or dsn_in(mail))
    return Report(tuple(readings[:RECIPIENTS_LIMIT]), references)


def _readings(returned: _Returned, complaint: Complaint | None, dsn: Dsn | None) -> list[Reading]:
    mail = returned.mail
    if complaint:
        return _of_complaint(complaint, returned.intended)
    if is_receipt(mail):
        return [_nothing("receipt")]
    if dsn and any(report.action or report.action_word for report in dsn.reports):
        return _of_dsn(dsn, returned)
    if says_away(mail) and not dsn:
        return [_of_answer(mail, "subject")]
    is_answer = is_auto_replied(mail)
    inner = dsn_in(mail)
    if is_bounce(mail, returned.text, is_auto_replied=is_answer):
        return _of_text(returned, inner)
    if is_answer:
        return [_of_answer(mail, "header")]
    return _of_dsn(inner, returned) if inner and inner.reports else [_nothing("not a delivery report")]


def _nothing(rule: str) -> Reading:
    return Reading(None, "none", rule, "")


def _of_answer(mail: Mail, sign: str) -> Reading:
    # Who answers is who got the mail.
    sender = next(iter(addresses_in(mail.fields.get("from", "")[:1_000])), None)
    return Reading(sender, "none", f"automatic answer: {sign}", "")


def _of_complaint(complaint: Complaint, intended: Iterable[str]) -> list[Reading]:
    rule = f"complaint: {complaint.feedback or 'unnamed'}"
    outcome: Outcome = "none" if complaint.is_praise else "complaint"
    recipients: Iterable[str | None] = complaint.recipients or tuple(intended) or (None,)
    return [Reading(recipient, outcome, rule, "") for recipient in recipients]


def _of_dsn(dsn: Dsn, returned: _Returned) -> list[Reading]:
    # Some servers say what happened only in the part for people.
    reports = dsn.reports[:RECIPIENTS_LIMIT]
    recipients = list(dict.fromkeys(report.recipient or "" for report in reports))
    told = {failure.recipient: failure.words for failure in failures_in(returned.text, recipients, ())}
    return [_of_recipient(report, told.get(report.recipient or "", "")) for report in reports]


def _of_recipient(report: RecipientReport, told: str) -> Reading:
    words = report.diagnostic or report.status_code
    rule = f"action: {report.action or report.action_word or 'none'}"
    match report.action:
        case Action.FAILED:
            return _of_failure(report, told)
        case Action.DELIVERED | Action.RELAYED:
            if verdict := quarantine_in(report.diagnostic):
                # The next server took it with a 250 whose text says where it went: not to the recipient.
                return Reading(report.recipient, verdict.send_status, verdict.rule, words, report.action)
            return Reading(report.recipient, SendStatus.DELIVERED, rule, words, report.action)
        case Action.DELAYED | Action.EXPANDED | None:
            return Reading(report.recipient, "none", rule, words, report.action)


def _of_failure(report: RecipientReport, told: str) -> Reading:
    words = report.diagnostic or report.status_code
    verdict = classify_failure(report.diagnostic, report.status_code)
    if verdict.is_vague and not (better := classify_failure(told)).is_vague:
        verdict, words = better, report.diagnostic or told
    return Reading(report.recipient, verdict.send_status, verdict.rule, words[:DETAIL_LIMIT], report.action)


def _of_text(returned: _Returned, inner: Dsn | None) -> list[Reading]:
    intended = next(iter(returned.intended), None)
    fields = returned.mail.fields
    known = addresses_in(fields.get("x-failed-recipients", "")[:10_000])
    others = addresses_in(f"{fields.get('to', '')[:1_000]} {fields.get('from', '')[:1_000]}")
    failures = failures_in(returned.text, known, others)
    if is_delay(returned.mail, returned.text):
        return [Reading(one.recipient or intended, "none", "bounce text: delay", one.words) for one in failures]
    if is_receipt_of_delivery(returned.text):
        return [Reading(one.recipient or intended, "none", "bounce text: delivered", one.words) for one in failures]
    readings = []
    for failure in failures:
        verdict, words = classify_failure(failure.words), failure.words
        if verdict.is_vague and not (better := classify_failure(returned.text)).is_vague:
            verdict, words = better, returned.text
        if verdict.is_vague and inner and any(report.action is Action.FAILED for report in inner.reports):
            # A gateway that wraps the report of another server in a mail of its own.
            return _of_dsn(inner, returned)
        recipient = failure.recipient or intended
        readings.append(Reading(recipient, verdict.send_status, f"bounce {verdict.rule}", words.strip()[:DETAIL_LIMIT]))
    return readings
