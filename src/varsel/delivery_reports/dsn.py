"""Read delivery status notifications (RFC 3464), their internationalised form (RFC 6533) included.

A DSN holds a block of fields about the message and one for each recipient. Only `Action` says whether the word is
final; `Status` is the class of the last try, and an expired mail is failed with 4.4.1. Readers here take what comes:
any field may be missing, broken or twice, and mail that is no DSN yields nothing.
"""

from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser, HeaderParser
from email.policy import compat32
from enum import StrEnum

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
PARTS_LIMIT = 100  # parts looked at; real reports have three


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
    message = BytesParser(policy=compat32).parsebytes(content)
    for number, part in enumerate(message.walk()):
        if number == PARTS_LIMIT:
            break
        if part.get_content_type() in _STATUS_TYPES:
            reports = [_recipient_report(block) for block in _blocks(part)]
            return [report for report in reports if report is not None]
    return []


def _blocks(part: Message) -> list[Message]:
    """The blocks of fields. The standard library splits one of the two types itself; both are read alike here."""
    payload = part.get_payload()
    if isinstance(payload, list):
        text = "\n\n".join(inner.as_string() for inner in payload if isinstance(inner, Message))
    else:
        decoded = part.get_payload(decode=True)
        text = decoded.decode("utf-8", "replace") if isinstance(decoded, bytes) else ""
    blocks = text.replace("\r\n", "\n").split("\n\n")
    return [HeaderParser(policy=compat32).parsestr(block.strip("\n") + "\n\n") for block in blocks if block.strip()]


def _recipient_report(block: Message) -> RecipientReport | None:
    try:
        action = Action(_field(block, "Action").lower())
    except ValueError:
        return None
    return RecipientReport(action, _field(block, "Status").split(" ")[0], _diagnostic(block))


def _diagnostic(block: Message) -> str:
    """`Diagnostic-Code: smtp; 550 …` without its type, on one line."""
    kind, semicolon, words = _field(block, "Diagnostic-Code").partition(";")
    return (words if semicolon else kind).strip()


def _field(block: Message, name: str) -> str:
    return " ".join(str(block.get(name, "")).replace("\0", "").split())
