"""The condition endpoint of the kill test: says yes or no, as its path asks, and keeps books of when it says neither.

The services withhold what is unanswered twice, and the books tell whether it was: so an order whose endpoint says yes
must be sent if it failed to answer once at most, and one whose endpoint says no must never be. For that an endpoint
that answers must be heard. It is never away, and slow only within what the services wait, a frozen worker included.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from random import Random

from bench.chaos_http import Asked, Mood, Reply, WebServer, in_mood
from varsel.orders.send_condition import Condition

HOST = "vilkar.etat.no"
TIMEOUT = 30.0  # seconds that the services wait for an answer: twice as long as a worker is frozen at most

# mood: how often
MOODS = {Mood.ANSWERED: 35, Mood.SLOW: 40, Mood.REFUSED: 10, Mood.CLOSED: 5, Mood.CUT: 5, Mood.GARBLED: 5}
ANSWERS = (Mood.ANSWERED, Mood.SLOW)
SLOW = (0.1, 3.0)  # seconds: long enough to be killed meanwhile

_WORDS = {Condition.MET: "ja", Condition.NOT_MET: "nei"}


def endpoint_of(condition: Condition, reference: str) -> str:
    """The address that an order names."""
    return f"https://{HOST}/{_WORDS[condition]}/{reference}"


class ChaosConditions(AbstractAsyncContextManager["ChaosConditions"]):
    """Answers in the relay's event loop."""

    def __init__(self, port: int, seed: str, moods: Mapping[Mood, int] = MOODS) -> None:
        self._server = WebServer(port, self._reply_to)
        self._moods = moods
        self._random = Random(seed)
        self._unanswered: dict[str, int] = {}

    @property
    def unanswered(self) -> Mapping[str, int]:
        """How often it gave no answer, by sender's reference; may be asked for from any thread."""
        return self._unanswered.copy()

    @property
    def in_hand(self) -> int:
        """Requests whose answer is awaited."""
        return self._server.in_hand

    async def __aenter__(self) -> "ChaosConditions":
        await self._server.open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._server.close()

    async def _reply_to(self, asked: Asked) -> Reply | None:
        _, word, reference = asked.path.split("/")
        [mood] = self._random.choices(list(self._moods), list(self._moods.values()))
        if mood is Mood.SLOW:
            await asyncio.sleep(self._random.uniform(*SLOW))
        if mood not in ANSWERS:
            # Before the client can know.
            self._unanswered[reference] = self._unanswered.get(reference, 0) + 1
        return in_mood(mood, json.dumps({"sendNotification": word == _WORDS[Condition.MET]}).encode())
