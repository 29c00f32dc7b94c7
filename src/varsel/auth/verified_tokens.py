"""Tokens that were verified a moment ago: verifying a signature costs more than all the rest of a request.

What is kept is a digest of the token, never the token. A verdict holds no longer than the token itself, nor than
KEPT_FOR, so that a key or an issuer that is no longer trusted is done with soon.
"""

import time
from collections import OrderedDict
from hashlib import sha256

from varsel.auth.caller import Caller

KEPT_FOR = 300.0  # seconds
MOST = 10_000  # tokens; about 3 MB


class VerifiedTokens:
    """Remembers who presented a token; what was verified longest ago is forgotten first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, tuple[float, float, Caller]] = OrderedDict()

    def find(self, token: str) -> Caller | None:
        """Its holder, where it was verified not long ago and has not expired."""
        found = self._kept.get(_digest(token))
        if found is None:
            return None
        expires_at, forget_at, caller = found
        # Both clocks: a token expires by the calendar, and the calendar may be set back.
        return caller if time.time() < expires_at and time.monotonic() < forget_at else None

    def keep(self, token: str, caller: Caller, expires_at: float) -> None:
        """Remember a verdict; `expires_at` is the token's `exp`, in seconds since 1970."""
        digest = _digest(token)
        self._kept.pop(digest, None)
        self._kept[digest] = (expires_at, time.monotonic() + KEPT_FOR, caller)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
