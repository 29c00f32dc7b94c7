"""The mail that a report quotes: where the report's own words end, and what the quoted header says.

Our own mail's words must never be read as the server's, and a mail that quotes a report must not be read as one.
"""

import re
from collections.abc import Mapping

from varsel.delivery_reports.parts import HEADER_ONLY, Mail, read_fields
from varsel.delivery_reports.readable_text import TEXT_LIMIT, text_of

QUOTES_LIMIT = 10  # mails inside one another whose headers are looked at

# A line that announces the mail: between dashes or stars, or ending in a colon or a full stop. Words may follow only
# where they go on announcing, since "Message content rejected." is a diagnostic.
_FOLLOWS = r"(?:[ \t](?:follows?|is|are|headers?|text|body|attached|included|below|begins?|starts?)\b[^\n]{0,40}?)?"
_ANNOUNCED = re.compile(
    r"^(?P<mark>[ \t>]{0,20}[-*_=#+]{2,80}[ \t]{0,20}|[ \t>]{0,20})(?:"
    r"[^\n]{0,40}\b(?:copy|headers?|headerzeilen|text|start|part) of\b[^\n]{0,20}\b(?:message|e?-?mail)\b[^\n]{0,60}?"
    r"|(?:(?:the|your|begin|included is|here is|forwarded|this is)[ \t]){0,2}"
    r"(?:originale?|unsent|undelivered|returned|failed|rejected|forwarded|enclosed|urspr(?:ü|ue)ngliche|opp?rinn?elig)"
    rf"[ \t]?(?:e-?mail[ \t])?(?:message|mail|nachricht|header|melding|meddelelse|text)s?\b{_FOLLOWS}"
    rf"|(?:message|mail)[ \t](?:headers?|header[ \t]lines?|text|body|contents?)\b{_FOLLOWS}"
    r"|message d'origine|mensaje original|originalnachricht)"
    r"(?:[ \t]{0,5}(?P<end>[-*_=#+]{2,80}|[:.]))?[ \t]{0,20}$",
    re.IGNORECASE | re.MULTILINE,
)
# Or a header begins: at least one field that only a mail's header has, and no words between it and its neighbours.
_HEADER_LINE = re.compile(
    r"^[ \t>]{0,8}(?:received:[ \t]+(?:from|by|\(|via)|return-path:|message-id:|dkim-signature:|mime-version:"
    r"|x-mailer:"
    r"|content-type:[ \t]*(?:message/rfc822|text/rfc822|multipart/)|delivered-to:|x-originating-ip:|references:"
    r"|in-reply-to:)",
    re.IGNORECASE | re.MULTILINE,
)
_ANY_FIELD = re.compile(r"[ \t>]{0,8}[A-Za-z][A-Za-z0-9-]{1,60}:(?:[ \t]|$)|[ \t]{1,12}\S")
# Fields of our own mail that a report tells in its text.
_TOLD_FIELD = re.compile(
    r"[ \t>*|-]{0,20}(?:subject|betreff|objet|asunto|emne|onderwerp|oggetto|件名|from|von|de|date|datum"
    r"|sent(?: date)?|gesendet|size|message-?id|msg-?id"
    r"|mail from|sender|number of lines|arrival-date|reporting-mta)[ \t]{0,5}[:：]",
    re.IGNORECASE,
)
_QUOTE_MARK = re.compile(r"^[ \t]{0,8}(?:>[ \t]?)?", re.MULTILINE)


def human_text(mail: Mail) -> tuple[str, str]:
    """The report's own words, and the quoted mail behind them ("" where none is quoted in text)."""
    parts = [part for part in mail.parts if part.level == 0]
    texts = [text_of(part) for part in parts if part.content_type in ("text/plain", "text")]
    if not "".join(texts).strip():
        texts = [text_of(part) for part in parts if part.content_type.startswith("text/")]
    own, quoted = cut_quoted("\n".join(texts)[:TEXT_LIMIT])
    return "\n".join(line for line in own.split("\n") if not _tells_field(line)), quoted


def _tells_field(line: str) -> bool:
    # Most lines have no colon, and that is found out sooner.
    return (":" in line or "：" in line) and _TOLD_FIELD.match(line) is not None


def cut_quoted(text: str) -> tuple[str, str]:
    """What stands before the quoted mail, and the quoted mail."""
    starts = [match.start() for match in _ANNOUNCED.finditer(text) if match["end"] or match["mark"].strip()]
    header = _HEADER_LINE.search(text)
    if header:
        starts.append(_first_field(text, header.start()))
    # At the very beginning there would be no report at all, only a mail.
    start = min((start for start in starts if text[:start].strip()), default=len(text))
    return text[:start], text[start:]


def quoted_headers(mail: Mail, quoted: str) -> list[Mapping[str, str]]:
    """The header fields of the mails inside the report, and of the one that its text quotes."""
    heads = [read_fields(part.body) for part in mail.parts if part.content_type in HEADER_ONLY]
    if quoted:
        header = _HEADER_LINE.search(quoted)
        head = quoted[_first_field(quoted, header.start()) :] if header else quoted
        heads.append(read_fields(_QUOTE_MARK.sub("", head.partition("\n\n")[0]).encode("utf-8")))
    return heads[:QUOTES_LIMIT]


def _first_field(text: str, at: int) -> int:
    """Where the header begins that this line is in: up over every line that looks like a field."""
    while at > 0:
        above = text.rfind("\n", 0, at - 1) + 1
        if not _ANY_FIELD.match(text, above, at - 1) or at - above > 1_000:
            break
        at = above
    return at
