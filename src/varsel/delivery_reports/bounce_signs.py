"""The signs by which a mail for people is known as a report of failure, or of delay.

No sign is sure alone: anybody may write "could not be delivered", and a daemon also answers for people on holiday. So
they are weighed.
"""

import re

from varsel.delivery_reports.parts import Mail
from varsel.delivery_reports.readable_text import decode_words

SIGNS_READ = 4_000  # characters of the text; what kind of report it is stands at its beginning
SUBJECT_READ = 500  # characters
ENOUGH = 3

_DAEMON = re.compile(
    r"mailer[-_ ]?daemon|post[-_ ]?master|mail[- ]?(?:delivery|system|admin|daemon|er\b)"
    r"|delivery[- ]?(?:sub)?system|ndr\b|bounce|mdaemon|majordomo|mailman|listserv|-admin@|-owner@|mail ?gateway"
    r"|mailsweeper|amavis|symantec|antivirus|mailmarshal|microsoft ?exchange|<>",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|non[- ]?deliver|not (?:be )?deliver|un(?:able|successful).{0,20}deliver"
    r"|deliver[a-z]*.{0,30}(?:fail|error|problem|unsuc)|fail[a-z]* (?:to )?(?:deliver|notice|notif|mail)"
    r"|return(?:ed|ing) (?:e-?)?(?:mail|message|to sender)|failure notice|mail (?:system )?(?:error|fail)"
    r"|delivery (?:status|report|notif|has failed)|message (?:status|you sent blocked|rejected|failed)"
    r"|could ?n[o']t (?:be )?(?:sen[dt]|deliver)|rejected (?:mail|message)|user unknown|bounce|nondeliverable"
    r"|unzustellbar|nicht zugestellt|zustell|non remis|non distribu|échec|echec|impossible de|fallo|no se pud"
    r"|no entreg|devuel|onbestelbaar|niet (?:afgeleverd|bezorgd)|kan ikke lever|ikke lever|mislykket|mislyktes"
    r"|olever|mancato recapito|impossibile|não entreg|falha|配信|配送|エラー|返送|送信でき|退信|不能",
    re.IGNORECASE,
)
_TEXT = re.compile(
    r"(?:could ?n[o']t|can ?n[o']t|cannot|can't|(?:was|is|were|has|have) (?:not|n't) (?:been |being )?"
    r"|wasn't able to|unable to|not possible to|failed to|(?:was|were) not able to) ?(?:be )?(?:deliver|sen[dt]"
    r"|reach|forward|complete)"
    r"|(?:deliver[a-z]*|sending|message|mail).{0,60}(?:fail|was rejected|has been rejected|bounced|was refused"
    r"|unsuccessful|was not delivered|undeliverable)"
    r"|did not reach|undeliverable|permanent (?:fatal )?error|fatal error|delivery error|following address"
    r"|failed recipient|requested action not taken|encountered an error"
    r"|following recipient|had (?:permanent|delivery|transient)|error (?:message|while|delivering|transmitting)"
    r"|returned (?:to sender|mail|message)|was returned|not a (?:list )?member of"
    r"|(?:was |been )?rejected (?:by|for)|not delivered|unzustellbar"
    r"|nicht (?:zugestellt|zustell|ausgeliefert|erreich)|konnte nicht|n'a pas (?:pu )?(?:être |été )?|n'ont pas"
    r"|impossible|no (?:se )?(?:ha )?pud|no ha sido|niet (?:worden )?(?:afgeleverd|bezorgd)|kunne ikke|ble ikke"
    r"|kan ikke lever|kunde inte|non è stato|não (?:foi|pôde)"
    r"|配信できません|送信できません|届けられません|お届けできません",
    re.IGNORECASE,
)
# A reply code of the final kind at the beginning of a line, or an enhanced one anywhere.
_REPLY = re.compile(r"^\W{0,8}(?:\w{1,20}:? ){0,3}5\d\d[ -]\S|\b5\.\d\.\d{1,3}\b", re.MULTILINE)

_DELAY_SUBJECT = re.compile(
    r"\bdelay|still being retried|^warning\W{1,3}(?:could not|message|mail)|for (?:the )?past [\d.]{1,8} hours"
    r"|verzögert|retard|forsinke",
    re.IGNORECASE,
)
_DELAY = re.compile(
    r"(?:will|shall) (?:keep|continue|be|still|automatically)? ?(?:trying|to try|re-?tr|to attempt"
    r"|to be re-?tried|attempt)"
    r"|delivery attempts will continue|(?:do|need) not (?:need to )?(?:resend|re-send|send)|warning message only"
    r"|only a (?:warning|temporary)|has(?: not|n't) (?:yet )?been delivered(?: yet)|has not yet been delivered"
    r"|(?:has been|is|was) delayed|continue to be attempted|will retry|will be re-?tried|no action is required",
    re.IGNORECASE,
)
# What servers say once they have given up, in whose text the other words may stand as well.
_NO_DELAY = re.compile(
    r"will not (?:be )?(?:re-?tr|try)|given up|giving up|permanent|not be retried|no further"
    r"|delivery has failed|expired|\b5\.\d\.\d{1,3}\b",
    re.IGNORECASE,
)
# A DSN whose fields cannot be read is still one; other kinds of multipart/report are not.
_DSN_TYPE = re.compile(r"multipart/report(?!.*report-type ?=(?![ \"]*delivery-status))", re.IGNORECASE)
_DELIVERED = re.compile(
    r"(?:was|were|been) (?:successfully )?(?:delivered|relayed)|successful(?:ly)? (?:mail )?deliver"
    r"|delivery (?:was )?successful",
    re.IGNORECASE,
)


def is_bounce(mail: Mail, text: str, *, is_auto_replied: bool) -> bool:
    """Whether the mail reports a failure, or a delay; one that calls itself a reply needs one sign more."""
    fields, text, subject = mail.fields, text[:SIGNS_READ], _subject_of(mail)
    is_daemon = bool(_DAEMON.search(f"{fields.get('from', '')[:500]} {fields.get('return-path', '')[:500]}"))
    is_subject = bool(_SUBJECT.search(subject) or _DELAY_SUBJECT.search(subject))
    if "x-failed-recipients" in fields or _DSN_TYPE.match(fields.get("content-type", "")[:500]):
        return True
    if not is_daemon and not is_subject:
        return False  # people write of mail that failed, too
    weight = is_daemon + 2 * is_subject + 2 * bool(_TEXT.search(text)) + bool(_REPLY.search(text))
    return weight >= ENOUGH + (is_auto_replied and not is_daemon)


def is_delay(mail: Mail, text: str) -> bool:
    """Whether the server says that it still tries."""
    text, is_subject = text[:SIGNS_READ], bool(_DELAY_SUBJECT.search(_subject_of(mail)))
    has_given_up = bool(_NO_DELAY.search(text))
    # Both words at once: then the subject decides.
    return (is_subject or not has_given_up) if _DELAY.search(text) else (is_subject and not has_given_up)


def is_receipt_of_delivery(text: str) -> bool:
    """Whether it says that the mail arrived, and nothing of a failure."""
    text = text[:SIGNS_READ]
    return bool(_DELIVERED.search(text)) and not (_TEXT.search(text) or _REPLY.search(text))


def _subject_of(mail: Mail) -> str:
    """The report's own, without ours behind it, as in "Undeliverable: Forsinkelse i saken"."""
    subject = decode_words(mail.fields.get("subject", "")[:SUBJECT_READ])
    kind, _, _ = subject.partition(":")
    return kind if _SUBJECT.search(kind) or _DELAY_SUBJECT.search(kind) else subject
