"""Send what is due: claim, compose, hand to the relay with no database connection held, record.

The row is the job. A claim is made by a registered worker and ends by a recorded result, or by being released when
the worker is gone. Between the relay's answer and our commit only the relay knows, so every attempt at a
notification carries the same Message-ID, return path and envelope id.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from varsel.database.connect import UNAVAILABLE, Pool
from varsel.database.lost_answers import LostAnswers
from varsel.notifications.classify import classify_failure
from varsel.notifications.compose import Content, address_to, envelope_address, message_id
from varsel.notifications.hand import Hand
from varsel.notifications.keywords import with_keywords
from varsel.notifications.rendered_messages import Message, RenderedMessages
from varsel.notifications.results import Recorder
from varsel.notifications.retry import pause_before_next_attempt
from varsel.notifications.send_status import (
    Claim,
    Deferral,
    Doubt,
    Rejection,
    Result,
    SendStatus,
    Success,
    claim_notifications,
    release_unheard,
)
from varsel.transports.return_path import ReturnPaths
from varsel.transports.transport import (
    Accepted,
    Deferred,
    InDoubt,
    Mail,
    Outcome,
    Rejected,
    Transport,
    Unreachable,
    readable,
)

log = structlog.get_logger(__name__)


LETTING_GO = 1.0  # seconds, for a transaction that is cancelled to close its connection
WHILE_DATABASE_IS_AWAY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class SendingRules:
    """What settings say about sending."""

    domain: str  # right side of our Message-IDs
    retry_first: timedelta
    retry_max: timedelta
    least_in_hand: int  # claims held at once when the relay is slow
    most_in_hand: int  # and when it is fast
    unrecorded: int  # at most so many handed to the relay and not recorded yet: what a kill may double
    suppresses_bounces: bool = True  # whether an address that does not exist goes on the suppression list


class Sender:
    """One worker's way of sending: a bounded number of claims in hand, each a task of its own."""

    def __init__(
        self,
        pool: Pool,
        transport: Transport,
        return_paths: ReturnPaths,
        rules: SendingRules,
        prepare: Callable[[Content], Message] = with_keywords,
    ) -> None:
        self._pool = pool
        self._transport = transport
        self._return_paths = return_paths
        self._rules = rules
        self._recorder = Recorder(pool, suppresses_bounces=rules.suppresses_bounces)
        self._messages = RenderedMessages(pool, prepare)
        self._unrecorded = asyncio.Semaphore(rules.unrecorded)
        self._hand = Hand(least=rules.least_in_hand, most=rules.most_in_hand)
        self._tasks: dict[asyncio.Task[None], UUID] = {}  # and the notification that each is about
        self._lost_answers = LostAnswers()
        self._has_room = asyncio.Event()
        self._closed = asyncio.Event()

    async def send_due(self, worker: int) -> bool:
        """Claim what there is room for and start sending it; True where more may be due at once."""
        await self._until_usable_or_closed()
        room = 0 if self._closed.is_set() else max(0, self._hand.size - len(self._tasks))
        claims = await self._claim(worker, room) if room else []
        for claim in claims:
            task = asyncio.create_task(self._send(worker, claim), name=f"send {claim.notification_id}")
            self._tasks[task] = claim.notification_id
            task.add_done_callback(self._finished)
        if self._tasks and len(claims) == room and not self._closed.is_set():
            self._has_room.clear()
            await self._has_room.wait()
        return bool(claims)

    async def _claim(self, worker: int, limit: int) -> list[Claim]:
        """Claim; where the answer to an earlier claim was lost, first put back what it may have claimed.

        Claims follow one another, so what is ours and not in hand was never heard of.
        """
        if self._lost_answers.may_be():
            released = await release_unheard(self._pool, worker, self._tasks.values())
            self._lost_answers.looked()
            if released:
                log.warning("claims put back: their answer was lost", claims=released)
        try:
            return await claim_notifications(self._pool, worker, limit)
        except BaseException:
            self._lost_answers.note()
            raise

    async def _until_usable_or_closed(self) -> None:
        """While every relay is down nothing is claimed: the mails keep their attempts, and their place."""
        waits = [
            asyncio.ensure_future(self._transport.wait_until_usable()),
            asyncio.ensure_future(self._closed.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def close(self) -> None:
        """Claim nothing more; what is in flight goes on."""
        self._closed.set()
        self._has_room.set()

    async def drain(self, patience: timedelta | None = None) -> int:
        """Wait for the mails in flight, at most that long; returns how many are left behind, in doubt."""
        if not self._tasks:
            return 0
        _, pending = await asyncio.wait(
            set(self._tasks), timeout=patience.total_seconds() if patience is not None else None
        )
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=LETTING_GO)
        return len(pending)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._hand.note_finished()
        if len(self._tasks) <= self._hand.refill_at:
            self._has_room.set()

    async def _send(self, worker: int, claim: Claim) -> None:
        async with self._unrecorded:
            if not self._closed.is_set():
                await self._recorder.record(worker, await self._attempt_or_defer(claim))
                return
        # Outside, so that all that were waiting are put back by one commit.
        await self._recorder.record(worker, Deferral(claim, "not sent: told to stop", timedelta(0)))

    async def _attempt_or_defer(self, claim: Claim) -> Result:
        try:
            return await self._attempt(claim)
        except UNAVAILABLE as error:
            log.warning("not sent: the database is away", error=type(error).__name__)
            return Deferral(claim, "not sent: the database was away", WHILE_DATABASE_IS_AWAY)
        except Exception:
            log.exception("attempt failed on our side", notification=str(claim.notification_id))
            return Deferral(claim, "not sent: an error on our side", self._pause(claim.attempt))

    async def _attempt(self, claim: Claim) -> Result:
        if claim.suppressed:
            return Rejection(claim, claim.suppressed, SendStatus.FAILED_SUPPRESSED_RECIPIENT, "suppression list")
        address = envelope_address(claim.recipient_address)
        if address is None:
            words, status = "not an address that can be mailed", SendStatus.FAILED_INVALID_EMAIL_FORMAT
            return Rejection(claim, words, status, "address")
        rendered = await self._messages.of(claim)
        own_id = message_id(claim.notification_id, self._rules.domain)
        mail = Mail(
            return_path=self._return_paths.address_of(claim.notification_id),
            recipient_address=address,
            envelope_id=str(claim.notification_id),
            message=address_to(rendered, address, own_id),
        )
        return self._result(claim, await self._transport.submit(mail))

    def _result(self, claim: Claim, outcome: Outcome) -> Result:
        reply, relay = readable(outcome.reply), outcome.relay
        match outcome:
            case Accepted():
                return Success(claim, reply, relay=relay, reports_successes=outcome.reports_successes)
            case Rejected():
                verdict = classify_failure(reply)
                return Rejection(claim, reply, verdict.send_status, verdict.rule, relay=relay)
            case Deferred():
                return Deferral(claim, reply, self._pause(claim.attempt), relay=relay)
            case InDoubt():
                return Doubt(claim, reply, relay=relay)
            case Unreachable():
                return Deferral(claim, reply, outcome.retry_in, relay=relay)

    def _pause(self, attempt: int) -> timedelta:
        return pause_before_next_attempt(attempt, first=self._rules.retry_first, longest=self._rules.retry_max)
