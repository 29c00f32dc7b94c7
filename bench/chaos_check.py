"""What was promised against what came of it: pure, so that a test can see that it notices.

Nothing that was answered may be lost: an order with 202, a mail of such an order, a report with 250. A mail may reach
the relay again only where a worker was killed that had it in flight, and under the same Message-ID. An order whose
condition is not met is withheld, and nobody is mailed; another only where its endpoint failed to answer twice.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from bench.chaos_recipients import subject_for
from bench.chaos_records import AskedOrder, Books, Broken, Doubling, Promise, Shown, WorkerKill
from varsel.orders.send_condition import Condition
from varsel.sandbox.fates import Action

OPEN = ("New", "Sending")
WITHHELD = "SendConditionNotMet"
ASKED_IN_VAIN = 2  # times that an endpoint gives no answer before its order is withheld
SLACK = 1.0  # seconds: what a killed worker had sent already is still in the relay's socket


def check(asked: Sequence[AskedOrder], books: Books, shown: Shown, kills: Sequence[WorkerKill]) -> list[Broken]:
    """Every promise broken; empty where all were kept."""
    order_ids = {
        address: ids[0] for order in asked for address in order.recipients if (ids := shown.orders.get(order.reference))
    }
    return [
        *_orders(asked, shown),
        *_recipients(asked, shown),
        *_conditions(asked, books, shown),
        *_subjects(asked, books, order_ids),
        *_mails(asked, books, shown),
        *_statuses(books, shown),
        *_strays(books, order_ids),
        *_message_ids(books, order_ids),
        *_doubled(books, kills, order_ids),
    ]


def expected_status(answered: Sequence[Action]) -> str:
    """What the reports answered 250 make of a mail that the relay took; a failure overrules all others."""
    if Action.FAILED in answered:
        return "Failed_Bounced"
    if Action.DELIVERED in answered or Action.RELAYED in answered:
        return "Delivered"
    return "Succeeded"


def doublings(books: Books) -> list[Doubling]:
    """Every arrival after the first of its recipient."""
    return [
        Doubling(address, before.at, after.at)
        for address, arrivals in books.arrivals.items()
        for before, after in pairwise(arrivals)
    ]


def without_a_kill(doubled: Sequence[Doubling], kills: Sequence[WorkerKill]) -> list[Doubling]:
    """Those that no kill between the two arrivals explains, each kill for as many as it may have had in flight."""
    unexplained = sorted(doubled, key=lambda doubling: doubling.again_at)
    # In the order of the kills, and of each the most urgent first: what is left over then fits no other way either.
    for kill in sorted(kills, key=lambda kill: kill.at):
        explained = [d for d in unexplained if d.first_at - SLACK <= kill.at <= d.again_at][: kill.in_flight]
        unexplained = [d for d in unexplained if d not in explained]
    return unexplained


def _orders(asked: Sequence[AskedOrder], shown: Shown) -> Iterator[Broken]:
    for order in asked:
        ids = shown.orders.get(order.reference, ())
        if order.order_id is not None and order.order_id not in ids:
            yield Broken(Promise.ORDER, f"{order.reference} was answered 202 as {order.order_id}, and is not there")
        if len(ids) > 1:
            # Without a key it was asked for once only, so it too may exist once only.
            asked_for = "with an idempotency key" if order.has_key else "once"
            yield Broken(Promise.DOUBLED_ORDER, f"{order.reference}, asked for {asked_for}: {', '.join(ids)}", ids[-1])


def _recipients(asked: Sequence[AskedOrder], shown: Shown) -> Iterator[Broken]:
    """Each of an order that is sent is notified, once."""
    for order, order_id in _found(asked, shown):
        if not _is_sent(order, order_id, shown):
            continue
        wanted, there = Counter(order.recipients), Counter(_notified(order_id, shown))
        missing, extra = wanted - there, there - wanted
        if missing:
            what = f"{order.reference}: {missing.total()} recipients missing"
            yield Broken(Promise.ORDER, what, order_id, next(iter(missing)))
        extra[""] -= missing.total()  # whoever was not identified is missing already
        if extra := +extra:
            what = f"{order.reference}: {extra.total()} notifications more than recipients"
            yield Broken(Promise.DOUBLED_NOTIFICATION, what, order_id, next(iter(extra)))


def _conditions(asked: Sequence[AskedOrder], books: Books, shown: Shown) -> Iterator[Broken]:
    for order, order_id in _found(asked, shown):
        status = shown.statuses.get(order_id)
        in_vain = books.unanswered.get(order.reference, 0)
        if order.condition is Condition.NOT_MET and status != WITHHELD:
            yield Broken(Promise.CONDITION, f"{order.reference} is {status}, its condition is not met", order_id)
        if order.condition is not Condition.NOT_MET and status == WITHHELD and in_vain < ASKED_IN_VAIN:
            condition = order.condition or "none"
            what = f"{order.reference} is {status}, its condition is {condition}, unanswered {in_vain} times"
            yield Broken(Promise.CONDITION, what, order_id)
        if not _is_sent(order, order_id, shown):
            for address in {*_notified(order_id, shown), *(books.arrivals.keys() & set(order.recipients))}:
                what = f"{address} of {order.reference} was notified, though it was to be withheld"
                yield Broken(Promise.CONDITION, what, order_id, address)


def _subjects(asked: Sequence[AskedOrder], books: Books, order_ids: Mapping[str, str]) -> Iterator[Broken]:
    for order in asked:
        for address in order.recipients:
            expected = subject_for(address, order.subject)
            for arrival in books.arrivals.get(address, ()):
                if arrival.subject != expected:
                    what = f"{address} got {arrival.subject!r}, not {expected!r}"
                    yield Broken(Promise.SUBJECT, what, order_ids.get(address), address)


def _mails(asked: Sequence[AskedOrder], books: Books, shown: Shown) -> Iterator[Broken]:
    for order in asked:
        for order_id in shown.orders.get(order.reference, ())[:1]:
            missing = [address for address in order.recipients if address not in books.arrivals]
            for address in missing if _is_sent(order, order_id, shown) else ():
                what = f"{address} of {order.reference} never reached the relay"
                yield Broken(Promise.MAIL, what, order_id, address)


def _statuses(books: Books, shown: Shown) -> Iterator[Broken]:
    for order_id, notifications in shown.notifications.items():
        for address, status in notifications:
            answered = books.answered.get(address, [])
            expected = expected_status(answered)
            if status in OPEN:
                yield Broken(Promise.OPEN, f"{address} is {status}", order_id, address)
            elif status != expected and address in books.arrivals:
                reports = ", ".join(answered) or "none"
                what = f"{address} is {status}, not {expected}; reports taken: {reports}"
                yield Broken(Promise.REPORT, what, order_id, address)


def _strays(books: Books, order_ids: Mapping[str, str]) -> Iterator[Broken]:
    for address in books.arrivals.keys() - order_ids.keys():
        yield Broken(Promise.STRAY, f"{address} got a mail, and no order has it", None, address)


def _message_ids(books: Books, order_ids: Mapping[str, str]) -> Iterator[Broken]:
    owner: dict[str, str] = {}
    for address, arrivals in books.arrivals.items():
        ids = {arrival.message_id for arrival in arrivals}
        if len(ids) > 1:
            what = f"{address} got {', '.join(sorted(ids))}"
            yield Broken(Promise.ANOTHER_ID, what, order_ids.get(address), address)
        for message_id in ids:
            if owner.setdefault(message_id, address) != address:
                what = f"{address} and {owner[message_id]} share {message_id or 'an empty Message-ID'}"
                yield Broken(Promise.ANOTHER_ID, what, order_ids.get(address), address)


def _doubled(books: Books, kills: Sequence[WorkerKill], order_ids: Mapping[str, str]) -> Iterator[Broken]:
    for doubling in without_a_kill(doublings(books), kills):
        what = f"{doubling.address} came at {doubling.first_at:.2f} s and again at {doubling.again_at:.2f} s"
        yield Broken(Promise.DOUBLED_MAIL, what, order_ids.get(doubling.address), doubling.address)


def _found(asked: Sequence[AskedOrder], shown: Shown) -> Iterator[tuple[AskedOrder, str]]:
    """Each order that is there, with each of its ids."""
    return ((order, order_id) for order in asked for order_id in shown.orders.get(order.reference, ()))


def _is_sent(order: AskedOrder, order_id: str, shown: Shown) -> bool:
    """Whether its recipients are to be mailed; whether it may be withheld is not asked here."""
    return order.condition is not Condition.NOT_MET and shown.statuses.get(order_id) != WITHHELD


def _notified(order_id: str, shown: Shown) -> Sequence[str]:
    return [address for address, _ in shown.notifications.get(order_id, ())]
