"""Read delivery status notifications (RFC 3464), their internationalised form (RFC 6533) included.

A DSN holds a block of fields about the message and one for each recipient. Only `Action` says whether the word is
final; `Status` is the class of the last try, and an expired mail is failed with 4.4.1. What comes is taken as it is:
any field may be missing, broken or twice, and mail that is no DSN yields nothing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from varsel.delivery_reports.addresses import address_in
from varsel.delivery_reports.parts import Mail, blocks_of, read_fields

STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
STATUS_LIMIT = 20  # characters; 5.7.510 is a long one
DIAGNOSTIC_LIMIT = 2_000  # characters; what is longer repeats itself

_DIAGNOSTIC_TYPE = re.compile(r"^[A-Za-z][A-Za-z0-9-]{0,30} ?; ?")
_RECIPIENT_FIELDS = ("final-recipient", "original-recipient")
_FINAL_CODE = re.compile(r"5(?:\.\d|\d\d)")


class Action(StrEnum):
    """What became of the mail at the reporting server (RFC 3464 section 2.3.3)."""

    FAILED = "failed"  # finally
    DELAYED = "delayed"  # still trying: never a failure
    DELIVERED = "delivered"
    RELAYED = "relayed"  # handed to a server that makes no reports
    EXPANDED = "expanded"  # to a list's members, of whom nothing is said


# What servers write that have not read the RFC.
_OTHER_WORDS = {
    "expired": Action.FAILED,
    "failure": Action.FAILED,
    "fail": Action.FAILED,
    "undeliverable": Action.FAILED,
    "bounced": Action.FAILED,
    "rejected": Action.FAILED,
    "delay": Action.DELAYED,
    "deferred": Action.DELAYED,
    "deliverable": None,  # Postfix was asked whether it could; nothing was sent
}


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """What a DSN says about one recipient."""

    action: Action | None  # None where it cannot be told
    status_code: str  # RFC 3463, "" where none is given
    diagnostic: str  # the words of the server that decided, verbatim, "" where none are given
    recipient: str | None = None  # Final-Recipient, else Original-Recipient
    original_recipient: str | None = None  # as we addressed it
    action_word: str = ""  # as it stands


@dataclass(frozen=True, slots=True)
class Dsn:
    """A delivery status notification."""

    reports: tuple[RecipientReport, ...]
    envelope_id: str | None = None


def dsn_in(mail: Mail, *, level: int | None = None) -> Dsn | None:
    """The first DSN in the mail, or in the mails at that level inside it; None where there is none."""
    for part in mail.parts:
        if part.content_type in STATUS_TYPES and level in (None, part.level):
            return dsn_of([read_fields(block) for block in blocks_of(part.body)])
    return None


def dsn_in_text(text: str) -> Dsn | None:
    """The DSN whose fields stand in running text, as where a relay on the way has lost the parts."""
    blocks = [read_fields(block) for block in blocks_of(text.encode("utf-8"))]
    told = [block for block in blocks if any(name in block for name in _RECIPIENT_FIELDS)]
    return dsn_of(told) if any("action" in block or "status" in block for block in told) else None


def dsn_of(blocks: Iterable[Mapping[str, str]]) -> Dsn:
    """The DSN that has these blocks of fields; what is about a recipient may stand in the first one, too."""
    blocks = list(blocks)
    envelope_ids = [block["original-envelope-id"][:200] for block in blocks if block.get("original-envelope-id")]
    reports = [_recipient_report(block) for block in _joined(blocks) if _is_about_a_recipient(block)]
    return Dsn(tuple(reports), envelope_ids[0] if envelope_ids else None)


def _is_about_a_recipient(block: Mapping[str, str]) -> bool:
    return any(name in block for name in ("action", *_RECIPIENT_FIELDS))


def _joined(blocks: list[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Blocks of which one names the recipient and the next tells the rest are one."""
    joined: list[Mapping[str, str]] = []
    for block in blocks:
        last = joined[-1] if joined else {}
        if _names_only(last) and not any(name in block for name in _RECIPIENT_FIELDS):
            joined[-1] = {**block, **last}
        else:
            joined.append(block)
    return joined


def _names_only(block: Mapping[str, str]) -> bool:
    return any(name in block for name in _RECIPIENT_FIELDS) and "action" not in block and "status" not in block


def _recipient_report(fields: Mapping[str, str]) -> RecipientReport:
    status_code = fields.get("status", "").partition(" ")[0][:STATUS_LIMIT]
    # `Diagnostic-Code: smtp; 550 …` without its type (RFC 3464 section 2.3.6), which some servers leave out.
    diagnostic = _DIAGNOSTIC_TYPE.sub("", fields.get("diagnostic-code", ""), count=1)[:DIAGNOSTIC_LIMIT]
    original = address_in(fields.get("original-recipient", ""))
    return RecipientReport(
        action=_action_of(fields.get("action", ""), status_code or diagnostic),
        status_code=status_code,
        diagnostic=diagnostic,
        recipient=address_in(fields.get("final-recipient", "")) or original,
        original_recipient=original,
        action_word=fields.get("action", "")[:STATUS_LIMIT],
    )


def _action_of(field: str, code: str) -> Action | None:
    """The action, else what a code of the final kind stands for; one of the other kind may mean both."""
    word = re.split(r"[^a-z]", field.strip().lower(), maxsplit=1)[0]
    if word in _OTHER_WORDS:
        return _OTHER_WORDS[word]
    try:
        return Action(word)
    except ValueError:
        return Action.FAILED if _FINAL_CODE.match(code) else None
