"""What a due order goes through: whoever has to be asked is asked, then the notifications are generated.

The send condition comes first, then the contact register. While they are asked the order is claimed and no database
connection is held. Whoever gives no answer delays the order, and never drops or doubles it: what an order becomes is
decided by one transaction, which ends the claim or is rolled back.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

import msgspec
import structlog

from varsel.contact_register.lookups import look_up, look_up_names
from varsel.contact_register.register import Contact, ContactRegister, Resource
from varsel.database.connect import LONG_USE_LIMIT, UNAVAILABLE, Pool, connection_of
from varsel.database.statements import statements
from varsel.errors import RegisterUnavailable
from varsel.notifications.keywords import KEYWORDS
from varsel.notifications.retry import pause_before_next_attempt
from varsel.orders.addressees import Addressee, addressees, count_addressees, identity_of
from varsel.orders.generate import BULK, generate_notifications
from varsel.orders.order import Recipient
from varsel.orders.order_claims import (
    DueOrder,
    mark_condition_not_met,
    mark_processed,
    postpone_order,
)
from varsel.orders.send_condition import Condition, SendConditions
from varsel.outgoing.answer import NoAnswer

log = structlog.get_logger(__name__)
SQL = statements("orders")

LARGE_IN_HAND = 2  # orders of many recipients, each of which takes some tens of megabytes
TIME_LIMIT = timedelta(minutes=50)  # for one order; its claim lasts longer
FIRST_PAUSE = timedelta(seconds=2)  # after the first attempt in vain; doubles
LONGEST_PAUSE = timedelta(minutes=5)
RESOURCE_PREFIX = "urn:altinn:resource:"
DEFAULT_ACTION = "read"


@dataclass(frozen=True, slots=True)
class ConditionFallback:
    """What follows where a condition is not answered."""

    retry_after: timedelta  # the first time
    then: Literal["send", "withhold"]  # and the second


class OrderProcess:
    """The steps of one order after the other, each under a claim."""

    def __init__(
        self, pool: Pool, register: ContactRegister, conditions: SendConditions, fallback: ConditionFallback
    ) -> None:
        self._pool = pool
        self._register = register
        self._conditions = conditions
        self._fallback = fallback
        self._large = asyncio.Semaphore(LARGE_IN_HAND)

    async def process(self, worker: int, order: DueOrder) -> None:
        """Go through it, under the worker's claim, which it ends; only where the database is away the claim stays.

        Raises:
            UNAVAILABLE: the database is away.
        """
        try:
            passed = await self._past_condition(worker, order)
            if passed is not None:
                order = passed
                await self._generate_in_time(worker, order)
        except UNAVAILABLE:
            raise
        except RegisterUnavailable as error:
            await self.try_later(worker, order, f"contact register: {error}")
        except Exception:
            log.exception("order not processed: an error on our side", order=str(order.id))
            await self.try_later(worker, order, "an error on our side")

    async def try_later(self, worker: int, order: DueOrder, reason: str) -> None:
        """Give the claim back, with a pause that grows from attempt to attempt."""
        pause = pause_before_next_attempt(order.attempt, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        if await postpone_order(self._pool, worker, order, pause):
            log.warning("order delayed", order=str(order.id), reason=reason, seconds=round(pause.total_seconds(), 1))

    async def _past_condition(self, worker: int, order: DueOrder) -> DueOrder | None:
        """The order, where it has no condition, or it is met, or nobody says so and that counts as met."""
        if order.condition_endpoint is None:
            return order
        try:
            condition = await self._conditions.ask(order.condition_endpoint)
        except NoAnswer as error:
            return await self._past_silence(worker, order, str(error))
        if condition is Condition.NOT_MET:
            await self._withhold(worker, order)
            return None
        # Should the register be down now, a silence at the next attempt is a first one again.
        return replace(order, condition_unanswered=False)

    async def _past_silence(self, worker: int, order: DueOrder, reason: str) -> DueOrder | None:
        if not order.condition_unanswered:
            log.warning("send condition unanswered", order=str(order.id), reason=reason)
            asked = replace(order, condition_unanswered=True)
            await postpone_order(self._pool, worker, asked, self._fallback.retry_after)
            return None
        follows = self._fallback.then
        log.warning("send condition unanswered again", order=str(order.id), reason=reason, follows=follows)
        if follows == "send":
            return order
        await self._withhold(worker, order)
        return None

    async def _withhold(self, worker: int, order: DueOrder) -> None:
        if await mark_condition_not_met(self._pool, worker, order):
            log.info("send condition not met", order=str(order.id))

    async def _generate_in_time(self, worker: int, order: DueOrder) -> None:
        limit = asyncio.timeout(TIME_LIMIT.total_seconds())
        try:
            async with limit, self._large if order.is_large else nullcontext():
                await self._look_up_and_generate(worker, order)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise RegisterUnavailable(f"not all answers within {TIME_LIMIT}") from error

    async def _look_up_and_generate(self, worker: int, order: DueOrder) -> None:
        row = await self._pool.fetchrow(SQL["order_to_generate"], order.id, KEYWORDS)
        assert row is not None  # noqa: S101  # orders are not deleted while they are claimed
        recipients = msgspec.json.decode(row["recipients"], type=list[Recipient])
        contacts = await self._contacts(order, recipients)
        names: Mapping[str, str] = {}
        if row["has_keywords"]:
            reachable = [identity for identity, contact in contacts.items() if contact.email_addresses]
            names = await look_up_names(self._register, reachable)
        generated = addressees(recipients, contacts, names, ignore_reservation=bool(order.ignore_reservation))
        is_bulk = len(recipients) > BULK or count_addressees(recipients, contacts) > BULK
        await self._store(worker, order, generated, is_bulk=is_bulk)

    async def _contacts(self, order: DueOrder, recipients: Sequence[Recipient]) -> Mapping[str, Contact]:
        identities = [identity for recipient in recipients if (identity := identity_of(recipient))]
        return await look_up(self._register, identities, _resource(order)) if identities else {}

    async def _store(self, worker: int, order: DueOrder, generated: Iterable[Addressee], *, is_bulk: bool) -> None:
        async with connection_of(self._pool, at_most=LONG_USE_LIMIT) as conn, conn.transaction():
            # First, so that a claim that was lost ends here: nobody else generates what is not claimed by them.
            if not await mark_processed(conn, worker, order):
                log.warning("order left to others: the claim was lost", order=str(order.id))
                return
            count = await generate_notifications(
                conn, order.id, order.owner, order.requested_send_time, generated, is_bulk=is_bulk
            )
        log.info("order processed", order=str(order.id), notifications=count)


def _resource(order: DueOrder) -> Resource | None:
    resource_id = (order.resource_id or "").strip().removeprefix(RESOURCE_PREFIX)
    return Resource(resource_id, order.resource_action or DEFAULT_ACTION) if resource_id else None
