"""One order that meets every fate a mail can have between Postfix and the recipients' own servers.

    order over HTTP ── varsel serve --role api ── PostgreSQL ── varsel serve --role worker ──SMTP──> Postfix
                                                                  ^                                     │
                     status endpoint                              └────────────LMTP, reports────────────┤
                                                                                                        │
                     127.0.0.2:25  mx.test, which makes no reports itself                    <──SMTP────┤
                     127.0.0.3:25  reporting.test, which does                                <──SMTP────┤
                     127.0.0.1:53  the zone                                                  <──DNS─────┘

Run by `tests/test_postfix_round_trip.py` in a namespace of its own, once for all of its tests, since the fates are
waited for side by side. What came of each recipient is written to `outcomes.json` in the folder.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx2

from bench.service import Service
from tests.dns_server import DnsServer
from tests.factories import BODY, SUBJECT
from tests.namespace import settle_in
from tests.postfix import Postfix, running_postfix, service_settings, started
from tests.postfix_log import lines_about, mails_in_queue, mails_under_way, reports_about
from tests.relay import ScriptedRelay
from tests.run_log import log_into_run
from varsel.sandbox.handler import Reply
from varsel.sandbox.smtp_server import EXTENSIONS, SmtpServer

REPORTS_PORT = 2424  # whatever we take is free: the namespace is ours
ZONE = {
    "mx.test": "MX 10 mail.mx.test",
    "mail.mx.test": "A 127.0.0.2",
    "reporting.test": "MX 10 mail.reporting.test",
    "mail.reporting.test": "A 127.0.0.3",
    "no-mail.test": "MX 0 .",
    "broken-name-server.test": "SERVFAIL",
}
SETTINGS = {
    "default_transport": "smtp",
    "smtp_dns_support_level": "enabled",
    "smtp_host_lookup": "dns",
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "2s",
    "delay_warning_time": "2s",
    "maximal_queue_lifetime": "12s",
    "bounce_queue_lifetime": "12s",  # Postfix allows no more; the report that waits for the listener needs about two
}

DELAYED = "delayed@mx.test"  # until its delay report has been taken
LATE = "unknown-later@mx.test"  # refused while nobody listens for reports
REPORTED_ELSEWHERE = "kari@reporting.test"  # this Postfix owes no report
GREYLISTED = Reply(450, "4.2.0 Greylisted, please try again later")
NO_SUCH_USER = Reply(550, "5.1.1 No such user here")
SPAM = Reply(550, "5.7.1 Message rejected as spam")

# What mx.test answers to RCPT, unless it takes the mail.
REPLIES = {
    "unknown@mx.test": NO_SUCH_USER,
    "ukjent-på-øya@mx.test": NO_SUCH_USER,
    "full@mx.test": Reply(552, "5.2.2 Mailbox full"),
    "never-at-home@mx.test": GREYLISTED,
    DELAYED: GREYLISTED,
    LATE: GREYLISTED,
}
RECIPIENTS = (
    "kari@ok.test",
    "kari@mx.test",
    "spam@mx.test",
    *REPLIES,
    REPORTED_ELSEWHERE,
    "kari@no-such-domain.test",
    "kari@no-mail.test",
    "kari@broken-name-server.test",
)
LIMIT = 90.0  # seconds; a bound for a machine under load, not a measure: it takes 14
NOT_YET = ("New", "Sending")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one recipient."""

    statuses: tuple[str, ...]  # that the endpoint showed in turn, from when Postfix had taken the mail
    reports: tuple[str, ...]  # that Postfix tried to hand over in turn, such as `delay sent`
    asked_of_mx: tuple[str, ...]  # the words of NOTIFY that came to the MX that took the mail
    log: str  # the lines about it of Postfix and of the service

    @property
    def status(self) -> str:
        """The last one."""
        return self.statuses[-1]


class Watch:
    """Looks at an order again and again, and keeps every status that a notification had."""

    def __init__(self, client: httpx2.Client, order: str) -> None:
        self.statuses: dict[str, list[str]] = {address: [] for address in RECIPIENTS}
        self.ids: dict[str, str] = {}
        self._client = client
        self._order = order
        self._deadline = time.monotonic() + LIMIT

    def look(self) -> None:
        summary = self._client.get(f"{self._order}/notifications/email").raise_for_status().json()
        for notification in summary["notifications"]:
            address, status = notification["recipient"]["emailAddress"], notification["sendStatus"]["status"]
            self.ids[address] = notification["id"]
            statuses = self.statuses[address]
            if status not in (*NOT_YET, *statuses[-1:]):
                statuses.append(status)

    def until(self, is_so: Callable[[], bool]) -> None:
        """Look until it is so.

        Raises:
            TimeoutError: it is not so within the limit for the whole order.
        """
        while not is_so():
            if time.monotonic() > self._deadline:
                raise TimeoutError(f"waited for in vain; until now: {self.statuses}")
            time.sleep(0.05)  # between two looks
            self.look()

    def are_all_handed_over(self) -> bool:
        return all(self.statuses.values())


def play(folder: Path) -> dict[str, Outcome]:
    """Send the order, and wait until Postfix is done with every mail and every report."""
    plain, reporting, replies = ScriptedRelay(), ScriptedRelay(), dict(REPLIES)
    plain.answer_recipient = replies.get
    plain.answer_message = lambda content: SPAM if b"To: spam@" in content else None
    with (
        _internet(plain, reporting),
        running_postfix(REPORTS_PORT, settings=SETTINGS) as postfix,
        _running_service(folder, postfix) as (api, worker),
        api.owner() as client,
    ):
        watch = Watch(client, _place_order(client))
        watch.until(watch.are_all_handed_over)
        watch.until(lambda: not mails_under_way(postfix.log()))
        _refuse_while_nobody_listens(watch, worker, replies, postfix)
        _let_in_once_reported_as_delayed(watch, replies, postfix)
        watch.until(lambda: not mails_in_queue(postfix.log()))
        watch.look()  # the last report was taken after the look before
        taken = [envelope.recipients[0] for envelope, _ in plain.taken + reporting.taken]
        asked = {recipient.address: sorted(recipient.notify) for recipient in taken}
        return {
            address: Outcome(
                statuses=tuple(statuses),
                reports=tuple(reports_about(postfix.log(), address)),
                asked_of_mx=tuple(asked.get(address, ())),
                log=f"{lines_about(postfix.log(), address)}\n{_lines_with(watch.ids[address], api.log)}",
            )
            for address, statuses in watch.statuses.items()
        }


def _lines_with(word: str, log: str) -> str:
    return "\n".join(line for line in log.splitlines() if word in line)


def _refuse_while_nobody_listens(watch: Watch, worker: Service, replies: dict[str, Reply], postfix: Postfix) -> None:
    worker.stop()
    replies[LATE] = NO_SUCH_USER
    watch.until(lambda: "non-delivery deferred" in reports_about(postfix.log(), LATE))
    worker.start()


def _let_in_once_reported_as_delayed(watch: Watch, replies: dict[str, Reply], postfix: Postfix) -> None:
    watch.until(lambda: "delay sent" in reports_about(postfix.log(), DELAYED))
    watch.look()  # what the report has done to the status, before anything else can
    del replies[DELAYED]


def _place_order(client: httpx2.Client) -> str:
    order = {"subject": SUBJECT, "body": BODY, "recipients": [{"emailAddress": address} for address in RECIPIENTS]}
    return client.post("/notifications/api/v1/orders/email", json=order).raise_for_status().headers["location"]


@contextmanager
def _internet(plain: ScriptedRelay, reporting: ScriptedRelay) -> Iterator[None]:
    """The name server and the recipients' mail servers, in a thread, since all else here blocks."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    async def start() -> None:
        await DnsServer(ZONE).listen()
        await SmtpServer(plain, host="127.0.0.2", port=25, extensions=set(EXTENSIONS) - {"DSN"}).start()
        await SmtpServer(reporting, host="127.0.0.3", port=25).start()

    asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    yield


@contextmanager
def _running_service(folder: Path, postfix: Postfix) -> Iterator[tuple[Service, Service]]:
    """Two processes: the API answers, and PostgreSQL runs, while the worker with its listener is down."""
    settings = service_settings(REPORTS_PORT)
    api = Service(folder, postfix.port, "--role", "api", **settings)
    worker = Service(folder, postfix.port, "--role", "worker", **settings)
    with started(api, worker):
        yield api, worker


def main() -> None:
    folder = Path(sys.argv[1])
    settle_in(folder)
    log_into_run("postfix-round-trip")
    outcomes = {address: asdict(outcome) for address, outcome in play(folder).items()}
    (folder / "outcomes.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main()
