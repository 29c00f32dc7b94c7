"""Read delivery status notifications (RFC 3464), their internationalised form (RFC 6533) included.

A DSN holds a block of fields about the message and one for each recipient. Only `Action` says whether the word is
final; `Status` is the class of the last try, and an expired mail is failed with 4.4.1. What comes is taken as it is:
any field may be missing, broken or twice, and mail that is no DSN yields nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from varsel.delivery_reports.parts import blocks_of, parts_of, read_fields

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_DIAGNOSTIC_TYPE = re.compile(r"^[A-Za-z][A-Za-z0-9-]{0,30} ?; ?")


class Action(StrEnum):
    """What became of the mail at the reporting server (RFC 3464 section 2.3.3)."""

    FAILED = "failed"  # finally
    DELAYED = "delayed"  # still trying: never a failure
    DELIVERED = "delivered"
    RELAYED = "relayed"  # handed to a server that makes no reports
    EXPANDED = "expanded"  # to a list's members, of whom nothing is said


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """What a DSN says about one recipient."""

    action: Action
    status_code: str  # RFC 3463, "" where none is given
    diagnostic: str  # the words of the server that decided, verbatim, "" where none are given


def read_dsn(content: bytes) -> list[RecipientReport]:
    """What the mail says about each recipient; empty where it is no DSN or says nothing that we know."""
    for part in parts_of(content):
        if part.content_type in _STATUS_TYPES:
            reports = [_recipient_report(read_fields(block)) for block in blocks_of(part.body)]
            return [report for report in reports if report is not None]
    return []


def _recipient_report(fields: Mapping[str, str]) -> RecipientReport | None:
    try:
        action = Action(fields.get("action", "").lower())
    except ValueError:
        return None
    status_code = fields.get("status", "").partition(" ")[0]
    # `Diagnostic-Code: smtp; 550 …` without its type (RFC 3464 section 2.3.6), which some servers leave out.
    return RecipientReport(action, status_code, _DIAGNOSTIC_TYPE.sub("", fields.get("diagnostic-code", ""), count=1))
