"""What a mail that came to a return path says: about whom, to what effect, by which rule, and in whose words."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from varsel.delivery_reports.dsn import Action, RecipientReport, read_dsn
from varsel.notifications.classify import classify_failure
from varsel.notifications.send_status import SendStatus

Outcome: TypeAlias = SendStatus | Literal["complaint", "none"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail says about one recipient; of a mail that says nothing there is one, with the outcome "none"."""

    recipient: str | None  # as the mail has it; None where it does not say
    outcome: Outcome  # a final send status, or what leaves the status alone
    rule: str  # which rule said so, for operators
    detail: str  # the other side's own words, "" where there are none
    action: Action | None = None  # of a delivery status notification


@dataclass(frozen=True, slots=True)
class References:
    """What else names the mail that a report is about. Nobody has signed it; all of it may be made up."""

    return_paths: tuple[str, ...] = ()  # addresses that may be return paths of ours
    envelope_ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()  # without angle brackets
    recipients: tuple[str, ...] = ()  # Original-Recipient first, then Final-Recipient and the like


@dataclass(frozen=True, slots=True)
class Report:
    """A mail that came back, read."""

    readings: tuple[Reading, ...]  # never empty
    references: References


def read_report(content: bytes) -> Report:
    """Read what came back. Never raises, whatever it is given; `relayed` counts as Delivered here."""
    readings = tuple(_reading(report) for report in read_dsn(content))
    return Report(readings or (Reading(None, "none", "not a delivery report", ""),), References())


def _reading(report: RecipientReport) -> Reading:
    words = report.diagnostic or report.status_code
    rule = f"action: {report.action}"
    match report.action:
        case Action.FAILED:
            verdict = classify_failure(words, report.status_code)
            return Reading(None, verdict.send_status, verdict.rule, words, report.action)
        case Action.DELIVERED | Action.RELAYED:
            return Reading(None, SendStatus.DELIVERED, rule, words, report.action)
        case Action.DELAYED | Action.EXPANDED:
            return Reading(None, "none", rule, words, report.action)
