"""What the kill test plays around the services: the relay and its reports, the contact register, the conditions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bench.chaos_conditions import ChaosConditions
from bench.chaos_fleet import Ports
from bench.chaos_records import Books
from bench.chaos_register import ChaosRegister
from bench.chaos_relay import ChaosRelay
from bench.chaos_reports import ReportQueue
from bench.relay_thread import relay_thread
from varsel.mail_server import MailServer


@dataclass(frozen=True, slots=True)
class Around:
    """All of them, in one event loop of a thread of their own."""

    relay: ChaosRelay
    reports: ReportQueue
    register: ChaosRegister
    conditions: ChaosConditions

    @property
    def mails_in_hand(self) -> int:
        """Mails whose 250 is awaited."""
        return self.relay.in_hand

    @property
    def conditions_in_hand(self) -> int:
        """Conditions whose answer is awaited, so that their orders are claimed; lookups may be an API's as well."""
        return self.conditions.in_hand

    def books_now(self) -> Books:
        """What was seen and said so far; may be asked for from any thread."""
        return replace(self.relay.books_now(), unanswered=self.conditions.unanswered)


@contextmanager
def around(ports: Ports, seed: int, *, seconds_a_mail: float) -> Iterator[tuple[Around, int]]:
    """Play them for as long as the block runs; yields the relay's port too."""
    listeners = [MailServer("lmtp", "127.0.0.1", port) for port in ports.listeners]
    reports = ReportQueue(listeners, f"{seed}/reports")
    played = Around(
        ChaosRelay(reports, seconds_a_mail=seconds_a_mail),
        reports,
        ChaosRegister(ports.register, f"{seed}/register"),
        ChaosConditions(ports.conditions, f"{seed}/conditions"),
    )
    with relay_thread(played.relay, reports, played.register, played.conditions) as relay_port:
        yield played, relay_port
