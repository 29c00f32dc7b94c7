"""The assertion of a JWT grant (RFC 7523): what a client writes and signs to get an access token.

It is believed for one reason only: a key that the client registered has signed it. Keys and addresses that the header
offers itself (`jwk`, `x5c`, `jku`, `x5u`) are not looked at; `kid` chooses among the client's own.
"""

import time
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import jwt
import msgspec
from msgspec import Meta, Struct

from varsel.auth.bearer import CLOCK_SKEW
from varsel.auth.registered_clients import RegisteredClient
from varsel.errors import VarselError
from varsel.token_issuer import ALGORITHMS

LONGEST_LIFETIME = timedelta(seconds=120)  # Maskinporten's own limit
# From the earliest moment that a clock ahead of ours may write to the latest that one behind may accept.
USABLE_FOR = LONGEST_LIFETIME + 2 * timedelta(seconds=CLOCK_SKEW)
USED_IDS = 100_000  # remembered at once, some 30 MB; 700 grants a second fill it

Seconds = Annotated[float, Meta(ge=0, le=2**53)]  # since 1970 (RFC 7519 section 2, NumericDate)


class GrantError(StrEnum):
    """Why there is no token, in the words of RFC 6749 section 5.2."""

    INVALID_REQUEST = "invalid_request"  # the form cannot be read
    INVALID_CLIENT = "invalid_client"  # nobody is registered under this id
    INVALID_GRANT = "invalid_grant"  # the assertion does not hold
    INVALID_SCOPE = "invalid_scope"  # it asks for none, or for more than the client may have
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"


class GrantRefused(VarselError):
    """There is no token for this request; the text tells the client's developer why, in ASCII without quotes."""

    def __init__(self, error: GrantError, description: str) -> None:
        super().__init__(description)
        self.error = error


class Assertion(Struct, frozen=True):
    """The claims of an assertion, as far as they matter."""

    iss: str  # the client's id
    aud: str | list[str]
    exp: Seconds
    iat: Seconds
    jti: Annotated[str, Meta(min_length=1, max_length=255)]
    scope: str = ""
    nbf: Seconds = 0.0


class UsedIds:
    """The ids of assertions that were taken, each remembered for as long as it could come again.

    They are in this process's memory: development mode is one process.
    """

    def __init__(self, limit: int = USED_IDS) -> None:
        self._limit = limit
        self._forget_at: dict[tuple[str, str], float] = {}  # in the order of their coming, so the first goes first

    def use(self, client_id: str, assertion_id: str) -> None:
        """Remember an id.

        Raises:
            GrantRefused: it was used before, or there is no room to remember it.
        """
        now = time.monotonic()
        while self._forget_at and next(iter(self._forget_at.values())) <= now:
            del self._forget_at[next(iter(self._forget_at))]
        if (client_id, assertion_id) in self._forget_at:
            raise GrantRefused(GrantError.INVALID_GRANT, "this jti was used before")
        if len(self._forget_at) >= self._limit:
            raise GrantRefused(GrantError.INVALID_GRANT, "too many assertions at once; wait two minutes")
        self._forget_at[client_id, assertion_id] = now + USABLE_FOR.total_seconds()


def read_assertion(text: str) -> Assertion:
    """What it claims, which nobody should believe yet.

    Raises:
        GrantRefused: it is no JWT, or lacks a claim.
    """
    try:
        payload = jwt.PyJWS().decode(text, options={"verify_signature": False})
        return msgspec.json.decode(payload, type=Assertion)
    except msgspec.ValidationError as error:
        raise GrantRefused(GrantError.INVALID_GRANT, f"the assertion's claims cannot be used: {error}") from error
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise GrantRefused(GrantError.INVALID_GRANT, "the assertion cannot be read as a JWT") from error


def check_signature(text: str, client: RegisteredClient) -> None:
    """See that one of the client's registered keys has signed it.

    Raises:
        GrantRefused: none has.
    """
    key_id = jwt.get_unverified_header(text).get("kid")
    keys = client.keys_for(key_id)
    if not keys:
        raise GrantRefused(GrantError.INVALID_GRANT, "the client has registered no key with this kid")
    if not any(_is_signed_by(key, text) for key in keys):
        raise GrantRefused(GrantError.INVALID_GRANT, "the signature is by none of the client's registered keys")


def check_claims(assertion: Assertion, audience: str) -> None:
    """See that it is meant for us, and for now.

    Raises:
        GrantRefused: it is not.
    """
    now, skew = time.time(), CLOCK_SKEW
    audiences = [assertion.aud] if isinstance(assertion.aud, str) else assertion.aud
    rules = (
        (len(audiences) == 1 and audiences[0] in (audience, audience.rstrip("/")), f"aud must be {audience} alone"),
        (assertion.exp > now - skew, "the assertion has expired"),
        (assertion.iat < now + skew, "iat is in the future"),
        (assertion.nbf < now + skew, "nbf is in the future"),
        (
            assertion.exp - assertion.iat <= LONGEST_LIFETIME.total_seconds(),
            f"exp may be {LONGEST_LIFETIME.total_seconds():g} seconds after iat at most",
        ),
    )
    for holds, description in rules:
        if not holds:
            raise GrantRefused(GrantError.INVALID_GRANT, description)


def _is_signed_by(key: jwt.PyJWK, text: str) -> bool:
    try:
        jwt.PyJWS().decode(text, key.key, algorithms=list(ALGORITHMS))
    except (jwt.PyJWTError, ValueError, TypeError):
        return False
    return True
