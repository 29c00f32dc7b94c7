"""Read reports that are running text for people, of which every mail system has its own; half of all bounces are.

The text is taken apart by the recipients that it names, and each one's lines are the words about it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from varsel.delivery_reports.addresses import ADDRESS, addresses_in

LINES_LIMIT = 1_000  # of a report's text
LINE_LIMIT = 1_000  # characters that are looked at in one
RECIPIENTS_LIMIT = 25  # ours have one; an alias or a list may stand for a few
WORDS_LIMIT = 2_000  # characters

# A line that is about this address: it begins with it, or says that the mail was for it.
_LEADING = re.compile(
    r"(?:[245]\d\d[ -])?(?:[245]\.\d{1,3}\.\d{1,3} )?[\s>*|\"'(\[<・-]{0,20}(?:rfc822;|smtp:|mailto:)?[ <\"']{0,3}$",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"(?:\b(?:rcpt|to|recipients?|addressed?|mailbox|user|account|for|receiver|destination|reach(?:ed)?|an"
    r"|destinataire|destinatario|til|till|aan|delivering|failed|final-recipient|original-recipient|unknown)\b"
    r"|宛先|宛て|受信者)"
    r"(?:\(s\)|\(es\))?[ \t:：<\"'(\[;=-]{0,8}(?:(?:rfc822;|smtp:|mailto:)[ <]{0,2})?$",
    re.IGNORECASE,
)
_TRAILING = re.compile(
    r"[>\"')\]]{0,3}[ \t]{0,3}(?:さん|様|宛)?[ \t]{0,3}"
    r"(?:$|[:：,.([]|on \d|\.\.\.|-|;|=|was |is |has |does|could|not )",
    re.IGNORECASE,
)
_COLON = re.compile(r"[>\"')\]]{0,3}[ \t]{0,3}[:：]")


@dataclass(frozen=True, slots=True)
class Failure:
    """What the text says about one recipient."""

    recipient: str | None
    words: str


def failures_in(text: str, known: Sequence[str], others: Iterable[str]) -> list[Failure]:
    """What is said about each recipient: about those that are known to be meant, or about those that the text names.

    `others` are addresses that the text may hold, but that are not the recipient's: the sender's, the daemon's.
    """
    lines = [line[:LINE_LIMIT] for line in text.split("\n")[:LINES_LIMIT]]
    recipients = list(known)[:RECIPIENTS_LIMIT] or _recipients_named(lines, {address.lower() for address in others})
    if len(recipients) < 2:
        return [Failure(next(iter(recipients), None), _about(lines, recipients))]
    words: dict[str, list[str]] = {recipient.lower(): [] for recipient in recipients}
    present: str | None = None
    for line in lines:
        named = [address.lower() for address in addresses_in(line) if address.lower() in words]
        present = named[0] if named else present
        if present:
            words[present].append(line)
    return [Failure(recipient, _words(words[recipient.lower()])) for recipient in recipients]


def _recipients_named(lines: Sequence[str], others: set[str]) -> list[str]:
    """The recipients that lines are about: the surest kind of line that there is in the text decides."""
    for is_about in (_has_its_own_paragraph, _begins_line, _is_pointed_at, _is_there):
        found: dict[str, str] = {}
        for line in lines:
            for match in ADDRESS.finditer(line):
                address = match[0].rstrip(".")
                if address.lower() not in others and is_about(line, match):
                    found.setdefault(address.lower(), address)
        if found:
            return list(found.values())[: RECIPIENTS_LIMIT if is_about is not _is_there else 1]
    return []


def _has_its_own_paragraph(line: str, address: re.Match[str]) -> bool:
    return _begins_line(line, address) and bool(_COLON.match(line, address.end()))


def _begins_line(line: str, address: re.Match[str]) -> bool:
    is_first = address.start() <= 24 and bool(_LEADING.match(line[: address.start()]))
    return is_first and bool(_TRAILING.match(line, address.end()))


def _is_pointed_at(line: str, address: re.Match[str]) -> bool:
    return bool(_POINTING.search(line[max(0, address.start() - 60) : address.start()]))


def _is_there(line: str, address: re.Match[str]) -> bool:
    return True


def _about(lines: Sequence[str], recipients: Sequence[str]) -> str:
    """From the line that names the recipient on; all of the text where none does, or nothing but the name follows."""
    for number, line in enumerate(lines):
        if recipients and recipients[0].lower() in line.lower():
            words = _words(lines[number:])
            if len(words) > len(line.strip()) + 10 or len(line.strip()) > len(recipients[0]) + 20:
                return words
            break
    return _words(lines)


def _words(lines: Sequence[str]) -> str:
    return "\n".join(lines).strip()[:WORDS_LIMIT]
