"""Recognise answers that nobody wrote: out of office, vacation, receipts (RFC 3834, RFC 8098)."""

import re

from varsel.delivery_reports.parts import Mail
from varsel.delivery_reports.readable_text import decode_words

# At the beginning, since a report may quote any subject of ours behind its own.
_SUBJECT = re.compile(
    r"\W*(?:auto(?:mated|matic|matisk|matiskt|matische[rs]?|matisch)?[ -]?(?:reply|response|respond|svar"
    r"|antwort|antwoord)"
    r"|out[ -]of[ -](?:the[ -])?office|ooo\b|(?:on |my )?vacation|(?:on |i am |i'm )?(?:annual "
    r"|maternity )?(?:leave|holiday)\b"
    r"|(?:i am |i'm )?away (?:from|until)|abwesen|fravær|frånvar|ikke (?:på kontoret|til stede)|poissa"
    r"|automaattinen"
    r"|r[ée]ponse auto|absen[ct]e|absent|respuesta auto|fuera de|ausen|risposta auto|fuori (?:sede|ufficio)|afwezig"
    r"|resposta auto|自動応答|自動返信|不在|自動回覆|自动回复)",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"(?:(?:re|aw|sv|antw|vs) ?: *)+", re.IGNORECASE)
_FIELDS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-autoreply-from", "x-vacation")
_PRECEDENCES = ("auto_reply", "auto-reply", "vacation")


def is_receipt(mail: Mail) -> bool:
    """Whether it tells that somebody has opened the mail, or deleted it (RFC 8098)."""
    return any(part.level == 0 and part.content_type == "message/disposition-notification" for part in mail.parts)


def says_away(mail: Mail) -> bool:
    """Whether its subject is that of an automatic answer."""
    subject = _PREFIX.sub("", decode_words(mail.fields.get("subject", "")[:500]).strip())
    return bool(_SUBJECT.match(subject))


def is_auto_replied(mail: Mail) -> bool:
    """Whether its header says that nobody wrote it, which some servers' reports of failure say too."""
    fields = mail.fields
    return (
        fields.get("auto-submitted", "").lower().startswith("auto-replied")
        or fields.get("precedence", "").lower() in _PRECEDENCES
        or fields.get("preference", "").lower() in _PRECEDENCES
        or any(name in fields for name in _FIELDS)
    )
