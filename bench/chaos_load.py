"""The clients of the kill test: they place orders without a pause, and remember what they were promised.

With an idempotency key a client repeats the very same request until it is answered 202, and now and then once more, as
if the answer had been lost. Without a key it asks once: whoever got no answer does not know.
"""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from random import Random

import httpx2

from bench.chaos_orders import Wishes
from bench.chaos_records import AskedOrder

PATH = "/notifications/api/v1/orders/email"
ANSWER_LIMIT = 15.0  # seconds that a client waits for an answer
ASK_LIMIT = 60.0  # seconds until a client with a key must have its 202
PAUSE = (0.1, 0.4)  # seconds before the same request is repeated
ANSWER_THROWN_AWAY = 0.1  # of the answers to orders with a key

# While the database or the register is away, or the first request with this key is still being answered.
COME_AGAIN = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.CONFLICT)


@dataclass(slots=True)
class Answers:
    """What all clients got."""

    orders: list[AskedOrder] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)  # "lost" where there was no answer
    refused_at: Counter[int] = field(default_factory=Counter)  # 503s by second
    wrong: list[str] = field(default_factory=list)
    longest: float = 0.0  # seconds from the first request to its 202

    @property
    def peak_refused(self) -> int:
        """The most 503s in one second."""
        return max(self.refused_at.values(), default=0)


class Client(threading.Thread):
    """One of the clients, with its own share of the load."""

    def __init__(self, number: int, owner: httpx2.Client, *, seed: str, mails_a_second: float) -> None:
        super().__init__(name=f"client {number}", daemon=True)
        self._owner = owner
        self._wishes = Wishes(number, seed)
        self._random = Random(f"{seed}/repeats")  # of its own: how often it has to wait must not change what it orders
        self._seconds_a_mail = 1 / mails_a_second
        self._is_over = threading.Event()
        self.answers = Answers()

    def run(self) -> None:
        """Place orders until told to stop."""
        while not self._is_over.is_set():
            began_at = time.monotonic()
            recipients = self._place(*self._wishes.next())
            # The rate holds while all is well; after an outage nothing is caught up.
            due_in = recipients * self._seconds_a_mail - (time.monotonic() - began_at)
            self._is_over.wait(max(0.0, due_in))

    def stop(self) -> None:
        """Let it finish the order that it is at."""
        self._is_over.set()

    def _place(self, order: AskedOrder, content: bytes) -> int:
        """Ask for the order and keep its answer; returns its recipients."""
        key = f"key-{order.reference}" if order.has_key else None
        order_id = self._ask(content, key)
        self.answers.orders.append(replace(order, order_id=order_id))
        if key is not None and order_id is not None and self._random.random() < ANSWER_THROWN_AWAY:
            again = self._ask(content, key)
            if again != order_id:
                self.answers.wrong.append(f"{order.reference}: the same key was answered {order_id}, then {again}")
        return len(order.recipients)

    def _ask(self, content: bytes, key: str | None) -> str | None:
        """The id of the order; None where this client will never know."""
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        began_at = time.monotonic()
        while time.monotonic() < began_at + ASK_LIMIT:
            answer = self._post(content, headers)
            if answer is not None and answer.status_code == HTTPStatus.ACCEPTED:
                self.answers.longest = max(self.answers.longest, time.monotonic() - began_at)
                return self._order_id(answer)
            if answer is not None and answer.status_code not in COME_AGAIN:
                self.answers.wrong.append(f"{answer.status_code} to an order: {answer.text[:200]}")
                return None
            if key is None:
                return None
            time.sleep(self._random.uniform(*PAUSE))
        self.answers.wrong.append(f"{key} got no 202 in {ASK_LIMIT:.0f} s")
        return None

    def _order_id(self, answer: httpx2.Response) -> str:
        """The id that a 202 says; with it goes what the register knows, which is everybody."""
        placed = answer.json()
        lookup = placed.get("recipientLookup")
        if lookup is not None and lookup["status"] != "Success":
            self.answers.wrong.append(f"{placed['orderId']}: recipients were looked up with {lookup['status']}")
        order_id: str = placed["orderId"]
        return order_id

    def _post(self, content: bytes, headers: dict[str, str]) -> httpx2.Response | None:
        try:
            answer = self._owner.post(PATH, content=content, headers=headers, timeout=ANSWER_LIMIT)
        except httpx2.TransportError:
            self.answers.codes["lost"] += 1
            return None
        self.answers.codes[str(answer.status_code)] += 1
        if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            self.answers.refused_at[int(time.monotonic())] += 1
        return answer


def together(clients: list[Client]) -> Answers:
    """What all of them got; the peak is that of all."""
    total = Answers()
    for answers in (client.answers for client in clients):
        total.orders += answers.orders
        total.codes += answers.codes
        total.refused_at += answers.refused_at
        total.wrong += answers.wrong
        total.longest = max(total.longest, answers.longest)
    return total
