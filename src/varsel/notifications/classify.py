"""What another mail server's words mean for the send status: one classifier for replies and for reports.

The text is asked before the code, because one code stands for many causes: 5.7.1 is spam, policy, an unknown user
and a relay denied. Only the other side's diagnostic is matched, never our own mail or host names.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from varsel.notifications.refusal_words import BLOCKLISTS, HINTS, TEXT_RULES
from varsel.notifications.send_status import SendStatus


@dataclass(frozen=True, slots=True)
class Verdict:
    """The send status that final words of refusal stand for, and the rule that said so."""

    send_status: SendStatus
    rule: str

    @property
    def is_vague(self) -> bool:
        """Whether nothing was recognised, so that better words may stand elsewhere."""
        return self.rule in _VAGUE_RULES


NO_RULE = "no rule fits"
_VAGUE_RULES = (NO_RULE, "code: 1.0", "code: 2.0", "text: recipient refused")

# RFC 3463 and its registry, by subject.detail.
_CODES = {
    "1.0": SendStatus.FAILED_BOUNCED,
    "1.1": SendStatus.FAILED_BOUNCED,  # bad destination mailbox
    "1.2": SendStatus.FAILED_BOUNCED,  # bad destination system
    "1.3": SendStatus.FAILED_INVALID_EMAIL_FORMAT,  # bad destination mailbox address syntax
    "1.4": SendStatus.FAILED_BOUNCED,  # ambiguous
    "1.6": SendStatus.FAILED_BOUNCED,  # moved, no forwarding address
    "1.10": SendStatus.FAILED_BOUNCED,  # null MX
    "1.351": SendStatus.FAILED_BOUNCED,  # Exchange Online: unknown at the next server
    "2.0": SendStatus.FAILED_BOUNCED,  # mailbox status, nothing more
    "2.1": SendStatus.FAILED_BOUNCED,  # mailbox disabled
    "3.2": SendStatus.FAILED_BOUNCED,  # takes no mail from the network (RFC 7504 has it beside null MX)
    "4.4": SendStatus.FAILED_BOUNCED,  # unable to route
    "4.310": SendStatus.FAILED_BOUNCED,  # Exchange Online: no such domain
    # Known, and of no status of its own; listed so that the words beside it are not asked for better.
    **dict.fromkeys(("1.7", "1.8", "1.9"), SendStatus.FAILED),  # our own address
    **dict.fromkeys(
        ("2.2", "2.3", "2.4", "3.4"), SendStatus.FAILED
    ),  # full, too large for the mailbox, a list, too large
    **dict.fromkeys(("4.6", "4.7"), SendStatus.FAILED),  # a loop, expired
}
# A final 4.1.1 means what 5.1.1 does; but a mailbox that was disabled, or a domain not found, for now may be back.
_FINAL_EVEN_IF_TRANSIENT = ("1.1", "1.3", "1.6", "1.10")
_STATUS_CODE = re.compile(r"(?<![\d.])([245])\.(\d{1,3}\.\d{1,3})(?![\d.]*\d)", re.ASCII)

# For now, or about the system, the content or policy: not about the recipient.
_CLEARLY_OTHERWISE = re.compile(r"4|5\.[367]\.", re.ASCII)

# Servers quote addresses, links and the names of other servers; somebody called spam@ is not spam, and neither is a
# host in a domain of that name, and 5.1.1.20 is no code.
_NAMES = re.compile(
    r"https?://[^\s<>]{1,500}"
    r"|<[^<>\s]{0,320}>"
    r"|[^\s<>@\"']{1,64}@[^\s<>@\"',;]{1,255}"
    r"|\[[0-9a-fA-F.:]{3,45}\](?::\d{1,5})?"
    r"|(?<![\w.-])(?:[a-z0-9_-]{1,63}\.){1,10}[a-z]{2,24}(?![\w-])"
)
# Why all mail is looked at, whatever this one was refused for.
_BOILERPLATE = re.compile(
    r"to (?:best |better )?(?:protect|reduce|prevent|limit|fight|help)[^.;]{0,40}\bspam\b(?: and phishing| sent)?"
    r"|\b(?:remote )?host said:|may (?:also )?be (?:blacklisted|spam)"
    r"|if (?:you (?:believe|think|feel)|this is)[^.;]{0,40}not spam",
    re.IGNORECASE,
)
# A reply of several lines repeats its code in each (RFC 5321 section 4.2.1).
_REPEATED_CODE = re.compile(r"(?<=\s)[45]\d\d-(?:[45]\.\d{1,3}\.\d{1,3}\s)?", re.ASCII)
WORDS_READ = 1_000  # characters; reasons stand at the beginning, and no server makes us read longer
VERDICTS_KEPT = 1_024  # without the names in them, servers say the same words again and again
_QUARANTINE = re.compile("quarantin", re.IGNORECASE)
# What `re` takes for another case of these letters, and `lower` does not.
_OTHER_CASES = str.maketrans({"İ": "i", "ı": "i", "ſ": "s"})


def classify_failure(words: str, status_code: str | None = None) -> Verdict:
    """What a final refusal means; `status_code` is a report's Status field, where there is one.

    The code inside the words comes before the field beside them: a report often says 5.0.0 where the server's own
    reply was more exact.
    """
    return _verdict(_diagnosis(words[:WORDS_READ]), status_code)


def quarantine_in(words: str) -> Verdict | None:
    """The verdict on words of acceptance that say where the mail went, if that is to quarantine."""
    # A word that hardly any of them has, so most need no verdict.
    if not _QUARANTINE.search(words):
        return None
    verdict = classify_failure(words)
    return verdict if verdict.send_status is SendStatus.FAILED_QUARANTINED else None


@lru_cache(VERDICTS_KEPT)
def _verdict(diagnosis: str, status_code: str | None) -> Verdict:
    for rule in TEXT_RULES:
        if rule.pattern.search(diagnosis):
            return Verdict(rule.send_status, f"text: {rule.name}")
    codes = [match for match in (_STATUS_CODE.search(diagnosis), _STATUS_CODE.search(status_code or "")) if match]
    for severity, code in (match.groups() for match in codes):
        if code in _CODES:
            is_final = severity == "5" or code in _FINAL_EVEN_IF_TRANSIENT
            return Verdict(_CODES[code] if is_final else SendStatus.FAILED, f"code: {code}")
    if not any(_CLEARLY_OTHERWISE.match(match[0]) for match in codes):
        for rule in HINTS:
            if rule.pattern.search(diagnosis):
                return Verdict(rule.send_status, f"text: {rule.name}")
    return Verdict(SendStatus.FAILED, NO_RULE)


def _diagnosis(words: str) -> str:
    """The words on one line, in lower case, without names; what names a blocklist is kept as that."""
    plain = _NAMES.sub(lambda name: " blocklist " if BLOCKLISTS.search(name[0]) else " ", words)
    line = " ".join(_BOILERPLATE.sub(" ", " ".join(_REPEATED_CODE.sub(" ", plain).split())).split())
    return line.translate(_OTHER_CASES).lower() if not line.isascii() else line.lower()
