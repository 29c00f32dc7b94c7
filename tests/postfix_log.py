"""What a Postfix has logged about the mails to one recipient, and about the reports that it made of them.

Postfix names every mail by a queue id, and tells which report it made of which mail:

    cleanup[62]: 4cQ1: message-id=<…@bounce.test>
    smtp[71]: 4cQ1: to=<kari@mx.test>, relay=…, status=deferred (host … said: 450 4.2.0 …)
    bounce[84]: 4cQ1: sender delay notification: 4cQ2
    lmtp[83]: 4cQ2: to=<b+…@bounce.test>, relay=127.0.0.1[127.0.0.1]:2424, …, status=sent (250 2.0.0 Report taken)
    qmgr[8]: 4cQ2: removed
"""

import re

_TAKEN = re.compile(r" postfix/cleanup\[\d+\]: (\w+): message-id=")
_REMOVED = re.compile(r" postfix/qmgr\[\d+\]: (\w+): removed$", re.MULTILINE)
_REPORT_MADE = re.compile(r" (\w+): sender (delay|delivery status|non-delivery) notification: (\w+)")
_DELIVERY_TRIED = re.compile(r" (\w+): to=<[^>]*>,.* status=(\w+) ")


def mails_in_queue(log: str) -> set[str]:
    """The queue ids of mails, reports included, that Postfix is not done with."""
    return set(_TAKEN.findall(log)).difference(_REMOVED.findall(log))


def mails_under_way(log: str) -> set[str]:
    """Those of them that were not deferred yet: Postfix will be done with them at once, or defer them too."""
    deferred = {queue_id for queue_id, status in _DELIVERY_TRIED.findall(log) if status == "deferred"}
    return mails_in_queue(log) - deferred


def reports_about(log: str, recipient: str) -> list[str]:
    """Each try to hand over a report about the mails to `recipient`, in Postfix's words: `delay sent`."""
    kinds = _kinds_of_reports(log, recipient)
    return [f"{kinds[report]} {status}" for report, status in _DELIVERY_TRIED.findall(log) if report in kinds]


def lines_about(log: str, recipient: str) -> str:
    """The lines about the mails to `recipient` and about their reports."""
    queue_ids = _mails_to(log, recipient) | _kinds_of_reports(log, recipient).keys()
    return "\n".join(line for line in log.splitlines() if any(f" {queue_id}: " in line for queue_id in queue_ids))


def _mails_to(log: str, recipient: str) -> set[str]:
    return set(re.findall(rf" (\w+): to=<{re.escape(recipient)}>", log))


def _kinds_of_reports(log: str, recipient: str) -> dict[str, str]:
    mails = _mails_to(log, recipient)
    return {report: kind for mail, kind, report in _REPORT_MADE.findall(log) if mail in mails}
