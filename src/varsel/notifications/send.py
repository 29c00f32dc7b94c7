"""Send what is due: claim, compose, hand to the relay with no database connection held, record.

The row is the job. A claim is made by a registered worker and ends by a recorded result, or by being released when
the worker is gone. Between the relay's answer and our commit only the relay knows, so every attempt at a
notification carries the same Message-ID, return path and envelope id.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from varsel.database.connect import Pool
from varsel.database.statements import statements
from varsel.notifications.classify import classify_failure
from varsel.notifications.compose import Content, address_to, envelope_address, message_id, render
from varsel.notifications.results import Recorder
from varsel.notifications.retry import pause_before_next_attempt
from varsel.notifications.send_status import (
    Claim,
    Deferral,
    Rejection,
    Result,
    SendStatus,
    Success,
    claim_notifications,
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
SQL = statements("notifications")

RENDERED_LIMIT = 32 * 1024 * 1024  # bytes of rendered messages kept for the other recipients of their orders


@dataclass(frozen=True, slots=True)
class SendingRules:
    """What settings say about sending."""

    domain: str  # right side of our Message-IDs
    retry_first: timedelta
    retry_max: timedelta
    claims_in_hand: int  # at most so many: no more than the connections can send in about a second
    unrecorded: int  # at most so many handed to the relay and not recorded yet: what a kill may double


class Sender:
    """One worker's way of sending: a bounded number of claims in hand, each a task of its own."""

    def __init__(self, pool: Pool, transport: Transport, return_paths: ReturnPaths, rules: SendingRules) -> None:
        self._pool = pool
        self._transport = transport
        self._return_paths = return_paths
        self._rules = rules
        self._recorder = Recorder(pool)
        self._messages = _RenderedMessages(pool)
        self._unrecorded = asyncio.Semaphore(rules.unrecorded)
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_room = asyncio.Event()
        self._is_closed = False

    async def send_due(self, worker: int) -> bool:
        """Claim what there is room for and start sending it; True where more may be due at once."""
        room = 0 if self._is_closed else self._rules.claims_in_hand - len(self._tasks)
        claims = await claim_notifications(self._pool, worker, room) if room > 0 else []
        for claim in claims:
            task = asyncio.create_task(self._send(worker, claim), name=f"send {claim.notification_id}")
            self._tasks.add(task)
            task.add_done_callback(self._finished)
        if self._tasks and len(claims) == room and not self._is_closed:
            self._has_room.clear()
            await self._has_room.wait()
        return bool(claims)

    def close(self) -> None:
        """Claim nothing more; what is in flight goes on."""
        self._is_closed = True
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
        await asyncio.gather(*pending, return_exceptions=True)
        return len(pending)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        # Half of the room free: a claim for one row costs as much as one for many.
        if len(self._tasks) <= self._rules.claims_in_hand // 2:
            self._has_room.set()

    async def _send(self, worker: int, claim: Claim) -> None:
        async with self._unrecorded:
            try:
                result = await self._attempt(claim)
            except Exception:
                log.exception("attempt failed on our side", notification=str(claim.notification_id))
                result = Deferral(claim, "not sent: an error on our side", self._pause(claim.attempt))
            await self._recorder.record(worker, result)

    async def _attempt(self, claim: Claim) -> Result:
        address = envelope_address(claim.recipient_address)
        if address is None:
            return Rejection(claim, "not an address that can be mailed", SendStatus.FAILED_INVALID_EMAIL_FORMAT)
        rendered = await self._messages.of_order(claim.order_id)
        own_id = message_id(claim.notification_id, self._rules.domain)
        mail = Mail(
            return_path=self._return_paths.address_of(claim.notification_id),
            recipient_address=address,
            envelope_id=str(claim.notification_id),
            message=address_to(rendered, address, own_id),
        )
        return self._result(claim, await self._transport.submit(mail))

    def _result(self, claim: Claim, outcome: Outcome) -> Result:
        reply = readable(outcome.reply)
        match outcome:
            case Accepted():
                return Success(claim, reply)
            case Rejected():
                return Rejection(claim, reply, classify_failure(reply).send_status)
            case Deferred() | InDoubt():
                # In doubt waits like a deferral: a report that comes meanwhile settles it without a second mail.
                return Deferral(claim, reply, self._pause(claim.attempt))
            case Unreachable(retry_in=retry_in):
                return Deferral(claim, reply, retry_in)

    def _pause(self, attempt: int) -> timedelta:
        return pause_before_next_attempt(attempt, first=self._rules.retry_first, longest=self._rules.retry_max)


class _RenderedMessages:
    """The rendered messages of the orders in hand, the least recently used forgotten first."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._size = 0
        self._kept: OrderedDict[UUID, bytes] = OrderedDict()
        self._being_rendered: dict[UUID, asyncio.Task[bytes]] = {}

    async def of_order(self, order_id: UUID) -> bytes:
        """The order's message; recipients that ask for it at the same time share one read."""
        if order_id in self._kept:
            self._kept.move_to_end(order_id)
            return self._kept[order_id]
        task = self._being_rendered.get(order_id)
        if task is None:
            task = asyncio.create_task(self._render(order_id), name=f"render {order_id}")
            self._being_rendered[order_id] = task
            task.add_done_callback(lambda _: self._being_rendered.pop(order_id, None))
        return await asyncio.shield(task)

    async def _render(self, order_id: UUID) -> bytes:
        row = await self._pool.fetchrow(SQL["content_of_order"], order_id)
        assert row is not None  # noqa: S101  # its notification refers to it
        content = Content(
            subject=row["subject"],
            body=row["body"],
            is_html=row["content_type"] == "Html",
            from_address=row["from_address"],
            placed_at=row["created_at"],
        )
        message = render(content)
        self._keep(order_id, message)
        return message

    def _keep(self, order_id: UUID, message: bytes) -> None:
        self._kept[order_id] = message
        self._size += len(message)
        while self._size > RENDERED_LIMIT and len(self._kept) > 1:
            self._size -= len(self._kept.popitem(last=False)[1])
