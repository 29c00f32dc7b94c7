"""What another mail server's words mean for the send status: one classifier for replies and for reports.

The text is asked before the code, because one code stands for many causes: 5.7.1 is spam, policy, an unknown user
and a relay denied. Only the other side's diagnostic is matched, never our own mail or host names.
"""

import re
from dataclasses import dataclass

from varsel.notifications.send_status import SendStatus


@dataclass(frozen=True, slots=True)
class Verdict:
    """The send status that final words of refusal stand for, and the rule that said so."""

    send_status: SendStatus
    rule: str


@dataclass(frozen=True, slots=True)
class _TextRule:
    name: str
    pattern: re.Pattern[str]
    send_status: SendStatus


def _rule(name: str, pattern: str, send_status: SendStatus) -> _TextRule:
    return _TextRule(name, re.compile(pattern, re.IGNORECASE), send_status)


# In this order: what is wrong with the sender comes before what is wrong with the recipient, since "sender domain
# does not exist" also says "does not exist".
_TEXT_RULES = (
    _rule("text: quarantined", r"\bquarantin", SendStatus.FAILED_QUARANTINED),
    _rule(
        "text: our own domain or address is refused",
        r"sender('s)? (address|domain|verif|den|reject)|domain of sender|return.?path|mail from",
        SendStatus.FAILED,
    ),
    _rule("text: the name server did not answer", r"not found, try again", SendStatus.FAILED),
    _rule("text: too much mail", r"mail (too quickly|at a rate)|rate.?limit", SendStatus.FAILED),
    _rule("text: no room", r"out of storage|mailbox (is )?full|over ?quota|quota exceeded", SendStatus.FAILED),
    _rule(
        "text: spam",
        r"\bspam\b|\bjunk\b|\bunsolicited\b|\bbulk mail|blocklist|blacklist|\bRBL\b|bad reputation|spamhaus",
        SendStatus.FAILED_FILTERED_SPAM,
    ),
    _rule(
        "text: no such recipient",
        r"(user|recipient|mailbox|address|account|person)\b.{0,40}"
        r"(unknown|not exist|not found|no longer|disabled|inactive|rejected: access denied)"
        r"|(unknown|no such|invalid|inactive|disabled) (local )?(user|recipient|mailbox|address|account|person)"
        r"|doesn'?t have an? .{0,40}account|no mailbox here|not our customer|unrout(e)?able address",
        SendStatus.FAILED_BOUNCED,
    ),
    _rule(
        "text: no such domain",
        r"host or domain name not found|no such domain|domain.{0,30}(not exist|not found)|null ?mx|nxdomain",
        SendStatus.FAILED_BOUNCED,
    ),
)

# RFC 3463 and its registry, by subject.detail without the class: 5.1.1 and a final 4.1.1 mean the same.
_CODES = {
    "1.0": SendStatus.FAILED_BOUNCED,
    "1.1": SendStatus.FAILED_BOUNCED,  # bad destination mailbox
    "1.2": SendStatus.FAILED_BOUNCED,  # bad destination system
    "1.3": SendStatus.FAILED_INVALID_EMAIL_FORMAT,  # bad destination mailbox address syntax
    "1.6": SendStatus.FAILED_BOUNCED,  # moved, no forwarding address
    "1.10": SendStatus.FAILED_BOUNCED,  # null MX
    "2.1": SendStatus.FAILED_BOUNCED,  # mailbox disabled
    "3.4": SendStatus.FAILED_PAYLOAD_TOO_LARGE,
    "4.4": SendStatus.FAILED_BOUNCED,  # unable to route
}
_STATUS_CODE = re.compile(r"(?<![\d.])[245]\.(\d{1,3}\.\d{1,3})(?![\d.])", re.ASCII)
# Servers quote addresses and the names of other servers; somebody called spam@ is not spam, and 5.1.1.20 no code.
_NAMES = re.compile(r"<[^<>]{0,320}>|[^\s<>@]{1,64}@[^\s<>@]{1,255}|\S{1,255}\[[0-9a-fA-F.:]{3,45}\]\S{0,10}")
WORDS_READ = 2_000  # characters; reasons stand at the beginning, and no server makes us read longer


def classify_failure(words: str, status_code: str | None = None) -> Verdict:
    """What a final refusal means; `status_code` is a report's Status field, where there is one.

    The code inside the words comes before the field beside them: a report often says 5.0.0 where the server's own
    reply was more exact.
    """
    diagnosis = _NAMES.sub("", words[:WORDS_READ])
    for rule in _TEXT_RULES:
        if rule.pattern.search(diagnosis):
            return Verdict(rule.send_status, rule.name)
    codes = [match[1] for match in (_STATUS_CODE.search(diagnosis), _STATUS_CODE.search(status_code or "")) if match]
    for code in codes:
        if code in _CODES:
            return Verdict(_CODES[code], f"code: {code}")
    return Verdict(SendStatus.FAILED, "no rule fits")
