"""One request and its answer, bounded: in time from the first packet to the last byte, and in size.

Redirects are never followed here. What comes back compressed is refused, because its size could not be bounded.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import httpx2

from varsel.errors import VarselError

CONNECTING_SHARE = 5  # of the time limit


class NoAnswer(VarselError):
    """There was no answer that could be read; the text says why, without address, token or content."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]  # asked for in any case
    content: bytes


async def answer_to(
    client: httpx2.AsyncClient, request: httpx2.Request, *, within: timedelta, size_limit: int
) -> Answer:
    """Send it and read the whole answer, of at most `size_limit` bytes.

    Raises:
        NoAnswer: it did not come in time, is too large, or there was none.
    """
    if request.url.port is not None and not 0 < request.url.port < 2**16:
        raise NoAnswer("not a port")  # of a larger number the event loop takes what remains of it
    # Connecting and the TLS handshake have a share each: so a name's next address has its turn, and the connection is
    # closed where the other side does not go on, which httpx2 forgets where a handshake is cancelled.
    request.extensions["timeout"]["connect"] = within.total_seconds() / CONNECTING_SHARE
    request.headers["Accept-Encoding"] = "identity"
    try:
        async with asyncio.timeout(within.total_seconds()):
            answer = await client.send(request, stream=True, follow_redirects=False)
            try:
                return Answer(answer.status_code, answer.headers, await _content(answer, size_limit))
            finally:
                await answer.aclose()
    except TimeoutError as error:
        raise NoAnswer(f"none within {within.total_seconds():g} s") from error
    # Of these the types are told, not the texts, which may quote the address.
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ssl.SSLError, ValueError) as error:
        raise NoAnswer(_types(error)) from error


def _types(error: BaseException) -> str:
    """What was raised, and what lies beneath it: so a bad certificate is told from nobody listening."""
    deepest = error
    for _ in range(10):  # a chain may be a circle
        deepest = deepest.__cause__ or deepest.__context__ or deepest
    names = dict.fromkeys((type(error).__name__, type(deepest).__name__))
    return " from ".join(names)


async def _content(answer: httpx2.Response, size_limit: int) -> bytes:
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise NoAnswer("compressed, though we asked for it not to be")
    content = bytearray()
    async for chunk in answer.aiter_raw():
        content += chunk
        if len(content) > size_limit:
            raise NoAnswer(f"larger than {size_limit} bytes")
    return bytes(content)
