"""The reports on their way to the listener: bounded, in order for each recipient, tried again as relays do.

posted ── delay ──> due ── 2xx ──> taken: the next report of the same chain is posted
                     ^ └── 5xx ──> dropped, with a warning
                     └─ pause ─ 4xx, or nobody there; dropped with a warning after five minutes of that
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from varsel.mail_server import MailServer
from varsel.sandbox.handler import Reply
from varsel.sandbox.report_listener import ReportListener
from varsel.sandbox.reports import Report

CAPACITY = 20_000  # chains; one holds on to the headers of its mail, a kilobyte or two
CONNECTIONS = 4
IDLE = 1.0  # seconds until a connection without work is closed: an open one may keep the listener from stopping
FIRST_PAUSE = 0.2  # seconds
LONGEST_PAUSE = 5.0  # seconds
RETRIED_FOR = timedelta(minutes=5)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Chain:
    """The reports on one recipient; the first is the one that is due."""

    reports: deque[Report]
    tries: int = 0  # of the first report
    give_up_at: float = 0.0  # on the loop's clock; counted from the first try

    def pause(self) -> float:
        return float(min(FIRST_PAUSE * 2 ** (self.tries - 1), LONGEST_PAUSE))


class Outbox:
    """Hands reports to `reports_to`, which may be set or changed at any time; until then they wait."""

    def __init__(
        self,
        *,
        reports_to: MailServer | None = None,
        delay: timedelta,
        capacity: int = CAPACITY,
        retried_for: timedelta = RETRIED_FOR,
    ) -> None:
        self.reports_to = reports_to
        self._delay = delay.total_seconds()
        self._capacity = capacity
        self._retried_for = retried_for.total_seconds()
        self._due: asyncio.Queue[_Chain] = asyncio.Queue()
        self._timers: dict[int, asyncio.TimerHandle] = {}  # by the id of the chain that waits for its time
        self._workers: list[asyncio.Task[None]] = []
        self._waiting = 0
        self._is_settled = asyncio.Event()
        self._is_settled.set()

    @property
    def waiting(self) -> int:
        """How many chains of reports are not settled yet."""
        return self._waiting

    @property
    def is_full(self) -> bool:
        """Whether no more mail should be taken that wants reports."""
        return self._waiting >= self._capacity

    async def until_settled(self) -> None:
        """Wait until every report has been taken or dropped; the caller sets the time limit."""
        await self._is_settled.wait()

    def start(self) -> None:
        """Begin to hand over."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(CONNECTIONS)]

    async def stop(self) -> None:
        """Forget what has not been handed over, and close the connections."""
        for timer in self._timers.values():
            timer.cancel()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._timers.clear()
        self._due = asyncio.Queue()
        self._waiting = 0
        self._is_settled.set()

    def post(self, reports: Sequence[Report]) -> None:
        """Hand these over one after the other, each after the usual delay."""
        self._waiting += 1
        self._is_settled.clear()
        self._schedule(_Chain(deque(reports)), self._delay)

    def _schedule(self, chain: _Chain, pause: float) -> None:
        self._timers[id(chain)] = asyncio.get_running_loop().call_later(pause, self._fall_due, chain)

    def _fall_due(self, chain: _Chain) -> None:
        del self._timers[id(chain)]
        self._due.put_nowait(chain)

    async def _work(self) -> None:
        connection = _Connection()
        try:
            while True:
                chain = await self._next_due(connection)
                try:
                    await self._try(chain, connection)
                except Exception:
                    log.exception("report dropped: cannot be handed over")
                    self._settle(chain)
        finally:
            await connection.close()

    async def _next_due(self, connection: "_Connection") -> _Chain:
        try:
            async with asyncio.timeout(IDLE):
                return await self._due.get()
        except TimeoutError:
            await connection.close()
            return await self._due.get()

    async def _try(self, chain: _Chain, connection: "_Connection") -> None:
        now = asyncio.get_running_loop().time()
        chain.give_up_at = chain.give_up_at or now + self._retried_for
        chain.tries += 1
        reply = await connection.hand_over(chain.reports[0], self.reports_to)
        if reply is not None and reply.code < 300:
            self._settle(chain)
        elif reply is not None and reply.code >= 500:
            log.warning("report dropped: the listener refused it", code=reply.code)
            self._settle(chain)
        elif now >= chain.give_up_at:
            log.warning("report dropped: the listener did not take it in time", tries=chain.tries)
            self._settle(chain)
        elif reply is not None:
            self._schedule(chain, chain.pause())
        else:
            # Nobody is there: this worker waits too, or thousands of reports would knock every few seconds.
            await asyncio.sleep(chain.pause())
            self._due.put_nowait(chain)

    def _settle(self, chain: _Chain) -> None:
        """The first report is done with; go on with the next, if there is one."""
        chain.reports.popleft()
        chain.tries, chain.give_up_at = 0, 0.0
        if chain.reports:
            self._schedule(chain, self._delay)
            return
        self._waiting -= 1
        if not self._waiting:
            self._is_settled.set()


class _Connection:
    """One worker's connection to the listener, opened when there is something to hand over."""

    def __init__(self) -> None:
        self._server: MailServer | None = None
        self._listener: ReportListener | None = None

    async def hand_over(self, report: Report, server: MailServer | None) -> Reply | None:
        """The listener's reply, or None if it cannot be reached."""
        try:
            listener = await self._connected(server)
            if listener is None:
                return None
            content = report.write(written_at=datetime.now(UTC))
            return await listener.hand_over(content, return_path=report.return_path, smtputf8=report.envelope.smtputf8)
        except OSError:
            await self.close()
            return None

    async def _connected(self, server: MailServer | None) -> ReportListener | None:
        if server != self._server:
            await self.close()
        if self._listener is None and server is not None:
            self._listener, self._server = await ReportListener.connect(server), server
        return self._listener

    async def close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()
