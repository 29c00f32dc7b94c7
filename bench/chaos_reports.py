"""The report queue of the kill test's relay: as an MTA's, it keeps each report until a listener has answered 250.

posted ── delay ──> due ── 250 ──> answered: the next report on the same mail is posted
                     ^ └── 5yz ──> refused: counted as a failure of ours
                     └─ pause ─ 4yz, connection lost, nobody there
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from varsel.mail_server import MailServer
from varsel.sandbox.fates import Action, Outcome
from varsel.sandbox.report_listener import ReportListener
from varsel.sandbox.reports import Report

CONNECTIONS = 6
DELAY = (0.0, 0.4)  # seconds from the mail to its report, and from one report to the next
SLOW = 0.1  # of the reports; these come about when a mail in doubt is sent again
SLOW_DELAY = (1.0, 8.0)  # seconds
PAUSE = (0.1, 0.6)  # seconds between two tries
CHANGE_AFTER = 50  # reports; then another listener may get its turn


@dataclass(slots=True)
class Chain:
    """The reports on one mail that are still to be answered; written once, so that a repeat is the same."""

    reports: list[tuple[Report, bytes]]
    first_answered: asyncio.Future[None]


class ReportQueue(AbstractAsyncContextManager["ReportQueue"]):
    """Hands reports to whichever of the listeners takes them; runs in the relay's event loop."""

    def __init__(self, listeners: Sequence[MailServer], seed: str) -> None:
        self._listeners = listeners
        self._random = random.Random(seed)
        self._due: asyncio.Queue[Chain] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self.answered: dict[str, list[Action]] = {}  # with 250, by recipient
        self.refused: list[str] = []  # 5yz
        self.put_off: Counter[str] = Counter()  # by reply code; "lost" where the connection was
        self.waiting = 0  # chains

    async def __aenter__(self) -> "ReportQueue":
        self._tasks = [asyncio.create_task(self._work()) for _ in range(CONNECTIONS)]
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def post(self, reports: Sequence[Report], *, at_once: bool = False) -> Chain:
        """Take over the reports on one mail."""
        written_at = datetime.now(UTC)
        loop = asyncio.get_running_loop()
        chain = Chain([(report, report.write(written_at=written_at)) for report in reports], loop.create_future())
        self.waiting += 1
        self._due_in(chain, 0 if at_once else self._delay())
        return chain

    def _delay(self) -> float:
        return self._random.uniform(*(SLOW_DELAY if self._random.random() < SLOW else DELAY))

    def _due_in(self, chain: Chain, seconds: float) -> None:
        asyncio.get_running_loop().call_later(seconds, self._due.put_nowait, chain)

    async def _work(self) -> None:
        while True:
            listener = None
            try:
                listener = await ReportListener.connect(self._random.choice(self._listeners))
                for _ in range(CHANGE_AFTER):
                    await self._hand_over(await self._due.get(), listener)
            except OSError:
                await asyncio.sleep(self._random.uniform(*PAUSE))
            finally:
                if listener is not None:
                    await listener.close()

    async def _hand_over(self, chain: Chain, listener: ReportListener) -> None:
        report, content = chain.reports[0]
        try:
            reply = await listener.hand_over(content, return_path=report.return_path, smtputf8=report.envelope.smtputf8)
        except OSError:
            # It may have been taken; an MTA that has no answer sends it again.
            self.put_off["lost"] += 1
            self._due_in(chain, self._random.uniform(*PAUSE))
            raise
        if 400 <= reply.code < 500:
            self.put_off[str(reply.code)] += 1
            self._due_in(chain, self._random.uniform(*PAUSE))
            return
        self._settle(chain, reply.code, f"{reply.code} {reply.text} to a report on {report.recipient.address}")

    def _settle(self, chain: Chain, code: int, words: str) -> None:
        report, _ = chain.reports.pop(0)
        if code < 400 and isinstance(report.news, Outcome):
            self.answered.setdefault(report.recipient.address, []).append(report.news.action)
        elif code >= 500:
            self.refused.append(words)
        if not chain.first_answered.done():
            chain.first_answered.set_result(None)
        if chain.reports:
            self._due_in(chain, self._delay())
        else:
            self.waiting -= 1
