"""Several relays in order of priority: the first usable one takes the mail.

A mail that meets a relay in trouble goes to the next in the same `submit`, for nothing was handed over. Never after
the message was sent: InDoubt is final here, because another relay would only make two mails of one.
"""

import asyncio
import ssl
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Self

from varsel.relay import Relay
from varsel.transports.breaker import Pass, Pauses, State
from varsel.transports.health import Health, Patience
from varsel.transports.smtp import BEFORE_THE_MESSAGE, Notify, SmtpTransport
from varsel.transports.transport import Deferred, Mail, Outcome, Unreachable
from varsel.transports.trouble import Answer, NotReached, Trouble


class _Way:
    """One relay, and how it fares."""

    def __init__(self, transport: SmtpTransport, pauses: Pauses, patience: Patience) -> None:
        self.transport = transport
        clock = asyncio.get_running_loop().time
        self.health = Health(transport.relay.name, pauses, patience, clock)

    @property
    def may_be_tried(self) -> bool:
        return self.health.breaker.may_be_tried or self.health.is_better_than_none


class Relays:
    """A `Transport` over one or several relays; made inside a running loop, whose clock it uses."""

    def __init__(
        self,
        transports: Sequence[SmtpTransport],
        *,
        pauses: Pauses = Pauses(),  # noqa: B008  # frozen
        patience: Patience = Patience(),  # noqa: B008  # frozen
    ) -> None:
        self._ways = [_Way(transport, pauses, patience) for transport in transports]
        self._longest = pauses.longest
        self._changed = asyncio.Event()

    @classmethod
    def to(cls, relays: Sequence[Relay], *, notify: Collection[Notify], tls: ssl.SSLContext | None = None) -> Self:
        """The way out over these relays, in this order."""
        return cls([SmtpTransport(relay, notify=notify, tls=tls) for relay in relays])

    async def submit(self, mail: Mail) -> Outcome:
        """Hand over one mail to the first relay that lets us."""
        by = asyncio.get_running_loop().time() + BEFORE_THE_MESSAGE
        last: Answer | None = None
        for way, given in self._admitting():
            last = await self._try(way, given, mail, by)
            if not _may_go_elsewhere(last, way):
                break
        if last is None or isinstance(last, NotReached):
            return self._unreachable(last)
        return last

    async def wait_until_usable(self) -> None:
        """Return when some relay may be tried; at the latest after the longest pause of all."""
        clock = asyncio.get_running_loop().time
        at_the_latest = clock() + self._longest.total_seconds()
        while not self._may_try() and clock() < at_the_latest:
            wake_at = min(clock() + self._shortest().total_seconds(), at_the_latest)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(wake_at):
                    await self._changed.wait()

    async def close(self) -> None:
        """Say goodbye to every relay."""
        await asyncio.gather(*(way.transport.close() for way in self._ways))

    def _admitting(self) -> Iterator[tuple[_Way, Pass]]:
        """The relays that let us, each at most once; then, if need be, one that only defers."""
        tried = set()
        for way in self._ways:
            if given := way.health.breaker.admit():
                tried.add(way)
                yield way, given
        for way in self._ways:
            if way not in tried and (given := way.health.admit_as_last()):
                yield way, given

    async def _try(self, way: _Way, given: Pass, mail: Mail, by: float) -> Answer:
        try:
            answer = await way.transport.submit(mail, by=by)
        except BaseException:
            way.health.breaker.give_back(given)
            self._tell()
            raise
        is_alone = not any(other.health.breaker.may_be_tried for other in self._ways if other is not way)
        way.health.record(given, answer, mail.recipient_address, is_alone=is_alone)
        self._tell()
        return answer

    def _tell(self) -> None:
        """Have all who wait look again."""
        self._changed.set()
        self._changed.clear()

    def _may_try(self) -> bool:
        return any(way.may_be_tried for way in self._ways)

    def _shortest(self) -> timedelta:
        return min(way.health.breaker.remaining for way in self._ways)

    def _unreachable(self, last: NotReached | None) -> Unreachable:
        """Without the trouble, which concerns nobody else."""
        if last is None:
            return Unreachable("no relay is usable", retry_in=self._shortest())
        retry_in = last.retry_in if self._may_try() else self._shortest()
        return Unreachable(last.reply, last.relay, retry_in)


def _may_go_elsewhere(answer: Answer, way: _Way) -> bool:
    """Whether nothing was handed over and the relay is to blame."""
    if isinstance(answer, NotReached):
        return answer.trouble is not Trouble.SLOW
    return isinstance(answer, Deferred) and way.health.breaker.state is not State.USABLE
