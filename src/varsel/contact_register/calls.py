"""Calls to a register over HTTP: a POST of JSON and its answer, a bounded number at a time, tried twice.

A register that does not answer at all rests for a while: whoever asks meanwhile is told at once, instead of waiting
for what will hardly come. One that answers with an error does not rest, because its answers cost no time. Each
register has calls of its own, so that nobody waits for one whom they do not need.
"""

import asyncio
import time
from datetime import timedelta
from typing import Any, TypeVar

import httpx2
import msgspec

from varsel.errors import RegisterUnavailable
from varsel.outgoing.answer import Answer, NoAnswer, answer_to
from varsel.outgoing.credentials import Credentials

AT_ONCE = 8  # calls of one process to one register, each on a connection that is kept for the next
TRIES = 2
BETWEEN_TRIES = timedelta(seconds=0.2)
SIZE_LIMIT = 16 * 1024 * 1024  # bytes of an answer; 500 contacts have some hundred thousand
FIRST_REST = timedelta(seconds=1)  # doubles with each call in vain
LONGEST_REST = timedelta(seconds=30)

T = TypeVar("T")


class Calls:
    """The way to the register at this base URL; `within` is the time for one try."""

    def __init__(self, client: httpx2.AsyncClient, credentials: Credentials, url: str, *, within: timedelta) -> None:
        self._client = client
        self._credentials = credentials
        self._url = url
        self._within = within
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._rest = FIRST_REST
        self._resting_until = float("-inf")

    async def post(self, path: str, body: Any, answer_type: type[T]) -> T:
        """The answer of what is under this path, as this type; whatever else it holds is ignored.

        Raises:
            RegisterUnavailable: there is none, or none that can be used.
        """
        # For both tries: a second one behind the first of everybody who waits would find out too late for them.
        async with self._at_once:
            return await self._told(path, msgspec.json.encode(body), answer_type)

    async def _told(self, path: str, body: bytes, answer_type: type[T]) -> T:
        reason, is_silent, fresh = "", False, False
        for number in range(TRIES):
            if number:
                await asyncio.sleep(BETWEEN_TRIES.total_seconds())
            try:
                answer = await self._try(path, body, fresh=fresh)
            except NoAnswer as error:
                reason, is_silent = str(error), True
                continue
            self._rest, self._resting_until = FIRST_REST, float("-inf")
            # Whatever it is: a gateway in the middle may answer anything while it is being set up.
            reason, is_silent, fresh = f"it says {answer.status}", False, answer.status == 401
            if 200 <= answer.status < 300:
                try:
                    return msgspec.json.decode(answer.content, type=answer_type)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    # Not its words, which quote where in whose entry the fault is.
                    reason = "its answer cannot be read"
        if is_silent:
            self._take_a_rest()
        raise RegisterUnavailable(reason)

    async def _try(self, path: str, body: bytes, *, fresh: bool) -> Answer:
        if time.monotonic() < self._resting_until:
            raise RegisterUnavailable("it did not answer a moment ago")
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        headers |= await self._credentials.headers(fresh=fresh)
        request = self._client.build_request("POST", f"{self._url}{path}", content=body, headers=headers)
        return await answer_to(self._client, request, within=self._within, size_limit=SIZE_LIMIT)

    def _take_a_rest(self) -> None:
        now = time.monotonic()
        if now >= self._resting_until:  # else another call has found out before us
            self._resting_until = now + self._rest.total_seconds()
            self._rest = min(2 * self._rest, LONGEST_REST)
