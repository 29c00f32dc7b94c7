"""What was promised against what came of it: pure, so that a test can see that it notices.

Nothing that was answered may be lost: an order with 202, a mail of such an order, a report with 250. A mail may reach
the relay again only where a worker was killed that had it in flight, and under the same Message-ID.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from bench.chaos_records import AskedOrder, Books, Broken, Doubling, Promise, Shown, WorkerKill
from varsel.sandbox.fates import Action

OPEN = ("New", "Sending")
SLACK = 1.0  # seconds: what a killed worker had sent already is still in the relay's socket


def check(asked: Sequence[AskedOrder], books: Books, shown: Shown, kills: Sequence[WorkerKill]) -> list[Broken]:
    """Every promise broken; empty where all were kept."""
    order_ids = {
        address: ids[0] for order in asked for address in order.recipients if (ids := shown.orders.get(order.reference))
    }
    return [
        *_orders(asked, shown),
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
        for order_id in ids:
            there = Counter(address for address, _ in shown.notifications.get(order_id, ()))
            wrong = (Counter(order.recipients) - there) + (there - Counter(order.recipients))
            if wrong:
                what = f"{order.reference}: {wrong.total()} recipients missing or too many"
                yield Broken(Promise.ORDER, what, order_id, next(iter(wrong)))


def _mails(asked: Sequence[AskedOrder], books: Books, shown: Shown) -> Iterator[Broken]:
    for order in asked:
        for order_id in shown.orders.get(order.reference, ())[:1]:
            for address in order.recipients:
                if address not in books.arrivals:
                    yield Broken(
                        Promise.MAIL, f"{address} of {order.reference} never reached the relay", order_id, address
                    )


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
