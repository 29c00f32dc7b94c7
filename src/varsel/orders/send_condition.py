"""Ask whether an order's condition is met: a GET to the address that its owner has named.

The address is the owner's, the network and the token are ours. So only the public internet is asked, unless an operator
allows more or sends the questions to a gateway; the token goes over TLS only, to the host that was named, and to no
other that this one points to.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import httpx2
import msgspec
from msgspec import Struct

from varsel.outgoing.answer import Answer, NoAnswer, answer_to
from varsel.outgoing.credentials import Credentials

REDIRECTS_LIMIT = 5
SIZE_LIMIT = 64 * 1024  # bytes; an answer has some thirty
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

UNAUTHORIZED = 401  # a token may be taken back before its end: then a fresh one is shown, once

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Condition(StrEnum):
    """What the endpoint said."""

    MET = "met"
    NOT_MET = "not met"


class _Body(Struct, frozen=True):
    sendNotification: bool  # noqa: N815  # the name on the wire, in this case only


@dataclass(frozen=True, slots=True)
class ConditionRules:
    """What settings say about asking."""

    within: timedelta  # for the answer, redirects included
    hosts: Mapping[str, str]  # the base URL that is asked instead of a host


class SendConditions:
    """Asks condition endpoints: by `guarded` where an owner named the address, by `trusted` where an operator did."""

    def __init__(
        self,
        rules: ConditionRules,
        credentials: Credentials,
        *,
        guarded: httpx2.AsyncClient,
        trusted: httpx2.AsyncClient,
    ) -> None:
        self._rules = rules
        self._credentials = credentials
        self._guarded = guarded
        self._trusted = trusted

    async def ask(self, endpoint: str) -> Condition:
        """What the endpoint says.

        Raises:
            NoAnswer: nothing that can be used; the text says why, without the address.
        """
        try:
            async with asyncio.timeout(self._rules.within.total_seconds()):
                answer = await self._final_answer(httpx2.URL(endpoint))
        except TimeoutError as error:
            raise NoAnswer(f"none within {self._rules.within.total_seconds():g} s") from error
        except (httpx2.InvalidURL, ValueError) as error:  # the latter for a host that is no internationalised name
            raise NoAnswer("not a URL") from error
        if not 200 <= answer.status < 300:
            raise NoAnswer(f"it says {answer.status}")
        try:
            body = msgspec.json.decode(answer.content.removeprefix(BYTE_ORDER_MARK), type=_Body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise NoAnswer("no sendNotification that is true or false") from error
        return Condition.MET if body.sendNotification else Condition.NOT_MET

    async def _final_answer(self, named: httpx2.URL) -> Answer:
        url = named
        for _ in range(REDIRECTS_LIMIT + 1):
            answer = await self._get(url, may_have_token=_origin(url) == _origin(named))
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or location is None:
                return answer
            following = url.join(location)
            if following.scheme != "https" and url.scheme == "https":
                raise NoAnswer("a redirect from https to something else")
            url = following
        raise NoAnswer(f"more than {REDIRECTS_LIMIT} redirects")

    async def _get(self, named: httpx2.URL, *, may_have_token: bool) -> Answer:
        if named.scheme not in ("http", "https"):
            raise NoAnswer("neither http nor https")
        base = self._rules.hosts.get(named.raw_host.decode("ascii"))
        client = self._guarded if base is None else self._trusted
        path = named.raw_path.decode("ascii")
        # Put together anew, so that a name and a password in the URL are not sent, nor the fragment.
        authority = named.netloc.decode("ascii")
        url = httpx2.URL(f"{base}{path}" if base is not None else f"{named.scheme}://{authority}{path}")
        is_shown_token = may_have_token and url.scheme == "https"
        answer = await self._answer(client, url, await self._credentials.headers() if is_shown_token else {})
        if answer.status == UNAUTHORIZED and is_shown_token:
            return await self._answer(client, url, await self._credentials.headers(fresh=True))
        return answer

    async def _answer(self, client: httpx2.AsyncClient, url: httpx2.URL, credentials: Mapping[str, str]) -> Answer:
        request = client.build_request("GET", url, headers={"Accept": "application/json", **credentials})
        return await answer_to(client, request, within=self._rules.within, size_limit=SIZE_LIMIT)


def _origin(url: httpx2.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port or _PORTS.get(url.scheme)
