"""What we show when we ask others: an access token of our client, a platform access token, both or neither."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Tokens(Protocol):
    """Where access tokens for our own client come from."""

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        """A token with these scopes; raises `NoAnswer` where there is none to be had."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """As headers of a request."""

    tokens: Tokens | None = None
    scope: str = ""
    platform_token: Callable[[], str] | None = None

    async def headers(self, *, fresh: bool = False) -> dict[str, str]:
        """The headers; with `fresh` by a new token, because the last was not taken.

        Raises:
            NoAnswer: there is no token to be had.
        """
        headers: dict[str, str] = {}
        if self.tokens is not None:
            headers["Authorization"] = f"Bearer {await self.tokens.token(self.scope, fresh=fresh)}"
        if self.platform_token is not None:
            headers["PlatformAccessToken"] = self.platform_token()
        return headers
