"""The contact register of the kill test, as Altinn's Profile and Register are over HTTP: it knows everybody.

It has its moods, and is away for a few seconds now and then: its port is closed, or it takes requests and is mute.
Whatever it does, nobody may be taken for unknown, so each recipient must get the mail that the number stands for.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Any

from bench.chaos_http import Asked, Mood, Reply, WebServer, in_mood
from bench.chaos_recipients import address_of_number, name_of_number

PROFILE_PATH = "/profile/api/v1"
REGISTER_PATH = "/register/api/v1"
TIMEOUT = 1.0  # seconds that the services wait for an answer

# mood: how often; a lookup is tried twice, so that some five of a hundred fail while it is there
MOODS = {Mood.ANSWERED: 64, Mood.SLOW: 20, Mood.REFUSED: 8, Mood.CLOSED: 4, Mood.CUT: 2, Mood.GARBLED: 2}
SLOW = (0.1, 1.5 * TIMEOUT)  # seconds: some of these come too late
THERE = (4.0, 12.0)  # seconds between two absences
AWAY = (1.0, 4.0)  # seconds
MUTE = 0.5  # of the absences


class ChaosRegister(AbstractAsyncContextManager["ChaosRegister"]):
    """Answers lookups in the relay's event loop."""

    def __init__(self, port: int, seed: str, moods: Mapping[Mood, int] = MOODS) -> None:
        self._server = WebServer(port, self._reply_to)
        self._moods = moods
        self._random = Random(f"{seed}/moods")
        self._absences = Random(f"{seed}/absences")  # of its own: how often it is asked must not change when it is away
        self._hears = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.behaves = False  # set when the faults are over: then all must settle
        self.met: Counter[str] = Counter()  # requests by the mood that they met, and absences

    async def __aenter__(self) -> "ChaosRegister":
        self._hears.set()
        await self._server.open()
        self._task = asyncio.create_task(self._come_and_go(), name="register comes and goes")
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._server.close()

    async def _come_and_go(self) -> None:
        while True:
            await asyncio.sleep(self._absences.uniform(*THERE))
            if not self.behaves:
                self.met["away"] += 1
                await self._stay_away(self._absences.uniform(*AWAY))

    async def _stay_away(self, seconds: float) -> None:
        if self._absences.random() < MUTE:
            self._hears.clear()
            await asyncio.sleep(seconds)
            self._hears.set()
            return
        await self._server.close()
        await asyncio.sleep(seconds)
        await self._server.open()

    async def _reply_to(self, asked: Asked) -> Reply | None:
        await self._hears.wait()
        [mood] = (
            [Mood.ANSWERED] if self.behaves else self._random.choices(list(self._moods), list(self._moods.values()))
        )
        self.met[mood] += 1
        if mood is Mood.SLOW:
            await asyncio.sleep(self._random.uniform(*SLOW))
        lookup = _LOOKUPS.get(asked.path)
        return in_mood(mood, json.dumps(lookup(json.loads(asked.body))).encode()) if lookup else Reply(404)


def _contacts(body: Mapping[str, Sequence[str]]) -> object:
    """Profile's answer; backwards, for nobody has promised an order."""
    return {
        "contactPointsList": [
            {"nationalIdentityNumber": number, "isReserved": False, "email": address_of_number(number)}
            for number in reversed(body["nationalIdentityNumbers"])
        ]
    }


def _names(body: Mapping[str, Sequence[Mapping[str, str]]]) -> object:
    """Register's answer."""
    numbers = [party["ssn"] for party in reversed(body["parties"])]
    return {"partyNames": [{"ssn": number, "name": name_of_number(number)} for number in numbers]}


_LOOKUPS: Mapping[str, Callable[[Any], object]] = {
    f"{PROFILE_PATH}/users/contactpoint/lookup": _contacts,
    f"{REGISTER_PATH}/parties/nameslookup": _names,
}
