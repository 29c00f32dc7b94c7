"""Where a mail stands follows from what has happened to it, never from the order in which we heard.

A report of failure wins; else somebody's delivery; else the relay's 250. What says nothing final changes nothing.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any, TypeVar

import hypothesis.strategies as st
import pytest
import uvloop
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.delivery_reports.samples import new_answer, new_complaint, new_dsn, recipient_fields
from tests.factories import placed_order, send_status_of
from varsel.database.connect import Pool, open_pool
from varsel.delivery_reports.record import ReportRules, take_report
from varsel.delivery_reports.take import Taking
from varsel.notifications.liveness import Worker
from varsel.notifications.results import Recorder
from varsel.notifications.send_status import (
    Claim,
    Deferral,
    SendStatus,
    Success,
    claim_notifications,
    mark_lost_in_doubt,
    resend_in_doubt,
)
from varsel.orders.order import Recipient
from varsel.transports.return_path import ReturnPaths

S = SendStatus
LIMIT = 30.0  # seconds; a bound for a machine under load, not a measure
Result = TypeVar("Result")

REPORTS = {
    "delayed": new_dsn(recipient_fields("delayed", "4.4.1", "smtp; 451 4.4.1 Try later")),
    "expanded": new_dsn(recipient_fields("expanded", "2.0.0", "smtp; 250 2.0.0 A list")),
    "relayed": new_dsn(recipient_fields("relayed", "2.0.0", "smtp; 250 2.0.0 Passed on")),
    "delivered": new_dsn(recipient_fields("delivered", "2.0.0", "smtp; 250 2.0.0 Delivered")),
    "failed": new_dsn(recipient_fields()),
    "complaint": new_complaint(),
    "vacation": new_answer(headers="Auto-Submitted: auto-replied\n"),
}


def status_after(happened: set[str]) -> SendStatus | None:
    """The model: the one status that follows; None while nothing final is known."""
    if "failed" in happened:
        return S.FAILED_BOUNCED
    if happened & {"relayed", "delivered"}:
        return S.DELIVERED
    return S.SUCCEEDED if "250" in happened else None


LEASE_RUNS_OUT = "UPDATE notifications SET claimed_until = now() - interval '1 second' WHERE send_status = 'Sending'"


class OneMail(RuleBasedStateMachine):
    """One mail that was claimed, and all that may be heard of it: early, late, twice, and never."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self.happened: set[str] = set()
        self.claims: list[Claim] = []
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._run(self._open(dsn))

    def _run(self, step: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(asyncio.wait_for(step, LIMIT))

    async def _open(self, dsn: str) -> None:
        self._pool = await open_pool(dsn, connections=2)
        await self._pool.execute("DELETE FROM orders")
        self._rules = ReportRules(ReturnPaths("bounce.varsel.test", [b"x" * 32]))
        self._recorder = Recorder(self._pool)
        self._worker = Worker(dsn)
        await self._worker.prove_alive()
        await placed_order(self._pool)
        await self._claim()
        self._notification_id = self.claims[0].notification_id

    async def _claim(self) -> int:
        assert self._worker.number is not None
        claims = await claim_notifications(self._pool, self._worker.number, 10)
        self.claims += claims
        return len(claims)

    @initialize(is_put_off=st.booleans(), is_lost=st.booleans())
    def begin(self, is_put_off: bool, is_lost: bool) -> None:
        if is_put_off:
            self.the_relay_puts_the_last_attempt_off()
        if is_lost:
            self.the_worker_is_lost(is_sent_again=False, is_claimed_again=False)

    @rule(choice=st.integers(min_value=0), words=st.sampled_from(["250 Ok: queued as 1", "250 Ok: queued as 2"]))
    def the_250_of_an_attempt_is_recorded(self, choice: int, words: str) -> None:
        claim = self.claims[choice % len(self.claims)]
        assert self._worker.number is not None
        self._run(self._recorder.record(self._worker.number, Success(claim, words)))
        self.happened.add("250")

    @rule(is_sent_again=st.booleans(), is_claimed_again=st.booleans())
    def the_worker_is_lost(self, is_sent_again: bool, is_claimed_again: bool) -> None:
        self._run(self._pool.execute(LEASE_RUNS_OUT))
        self._run(mark_lost_in_doubt(self._pool, timedelta(0), 10))
        if is_sent_again:
            self._run(resend_in_doubt(self._pool, timedelta(0), 10))
        if is_claimed_again:
            self.a_worker_claims_what_is_due()

    @rule()
    def the_relay_puts_the_last_attempt_off(self) -> None:
        assert self._worker.number is not None
        deferral = Deferral(self.claims[-1], "451 Try later", timedelta(0))
        self._run(self._recorder.record(self._worker.number, deferral))

    @rule()
    def a_worker_claims_what_is_due(self) -> None:
        claimed = self._run(self._claim())
        assert not (claimed and status_after(self.happened)), "what is decided must not be sent again"

    @rule(kind=st.sampled_from([*REPORTS, "delivered", "failed"]), trailer=st.sampled_from([b"", b"\r\n"]))
    def a_report_comes(self, kind: str, trailer: bytes) -> None:
        """With the trailer it is another mail that says the same, without it a repeat."""
        self._run(take_report(self._pool, self._notification_id, REPORTS[kind] + trailer, self._rules))
        self.happened.add(kind)

    @invariant()
    def the_status_follows_from_what_has_happened(self) -> None:
        found = self._run(send_status_of(self._pool, self._notification_id))
        expected = status_after(self.happened)
        assert found is expected if expected else found in (S.NEW, S.SENDING)

    @invariant()
    @precondition(lambda self: self.happened & {"failed", "complaint"})
    def who_bounced_or_complained_is_suppressed(self) -> None:
        reason = self._run(self._pool.fetchval("SELECT reason FROM suppressed_addresses"))
        assert reason == ("complaint" if "complaint" in self.happened else "bounce")

    def teardown(self) -> None:
        self._run(self._worker.let_go())
        self._run(self._pool.execute("DELETE FROM suppressed_addresses"))
        self._pool.terminate()
        self._runner.close()


def test_the_status_of_a_mail_does_not_depend_on_when_we_heard_what(anyio_backend: object, dsn: str) -> None:
    bounded = settings(
        max_examples=40,
        stateful_step_count=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )

    class OneMailHere(OneMail):
        def __init__(self) -> None:
            super().__init__(dsn)

    run_state_machine_as_test(OneMailHere, settings=bounded)


async def claims_of(pool: Pool, number: int) -> list[Claim]:
    """So many notifications of one order, each being sent."""
    order_id = await placed_order(pool, [Recipient(email_address=f"kari+{n}@etat.test") for n in range(number)])
    rows = await pool.fetch(
        "UPDATE notifications SET send_status = 'Sending', attempt = 1, next_attempt_at = NULL, claimed_by = 1,"
        " claimed_until = now() + interval '1 hour' WHERE order_id = $1 RETURNING id, recipient_address",
        order_id,
    )
    return [Claim(order_id, row["id"], row["recipient_address"], attempt=1) for row in rows]


class Ear:
    """Hears of mails, many at once: of each in its own order, each thing committed before the next."""

    def __init__(self, pool: Pool) -> None:
        self._recorder = Recorder(pool)
        self._taking = Taking(pool, ReportRules(ReturnPaths("bounce.varsel.test", [b"x" * 32])))
        self._at_once = asyncio.Semaphore(8)

    async def hear(self, claim: Claim, events: Sequence[str]) -> None:
        async with self._at_once:
            for event in events:
                if event == "250":
                    await self._recorder.record(1, Success(claim, "250 Ok"))
                else:
                    await self._taking.take(claim.notification_id, REPORTS[event])


@pytest.mark.parametrize(
    "events",
    [
        ("250", "delayed", "relayed", "delivered", "failed", "complaint"),
        ("250", "delayed", "relayed", "delivered", "complaint"),
        ("250", "relayed", "delayed", "250"),
        ("250", "delivered", "delivered", "complaint"),
        ("250", "delayed", "complaint"),
        ("delivered", "failed", "delivered"),
        ("delayed", "complaint", "vacation", "expanded"),
    ],
    ids=" ".join,
)
async def test_every_order_of_the_same_events_ends_in_the_same_status(pool: Pool, events: Sequence[str]) -> None:
    orders = sorted(set(permutations(events)))
    claims = await claims_of(pool, len(orders))
    ear = Ear(pool)

    await asyncio.gather(*(ear.hear(claim, order) for claim, order in zip(claims, orders, strict=True)))

    expected = status_after(set(events)) or S.SENDING
    rows = await pool.fetch("SELECT id, send_status FROM notifications")
    found = {row["id"]: row["send_status"] for row in rows}
    assert [order for c, order in zip(claims, orders, strict=True) if found[c.notification_id] != expected] == []
