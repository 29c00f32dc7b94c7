"""A contact register in memory, which remembers what it was asked."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from varsel.contact_register.register import Contact, Resource

Knows = Callable[[str], Contact | None]


class KnownRegister:
    """Knows whom it is told of: by a table, or by a function where a table would be larger than what is tested."""

    def __init__(
        self,
        known: Mapping[str, Contact] | Knows,
        *,
        by_users: Mapping[str, Sequence[str]] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        self._known = known if callable(known) else known.get
        self._by_users = by_users or {}
        self._names = names or {}
        self.asked: list[Sequence[str]] = []
        self.asked_for_users: list[tuple[Sequence[str], Resource]] = []
        self.asked_for_names: list[Sequence[str]] = []
        self.most_at_once = 0
        self._at_once = 0

    async def contacts(self, identities: Sequence[str]) -> Mapping[str, Contact]:
        """The contacts of those whom it knows."""
        self.asked.append(identities)
        await self._pass_the_time()
        return {identity: contact for identity in identities if (contact := self._known(identity)) is not None}

    async def registered_by_users(
        self, organizations: Sequence[str], resource: Resource
    ) -> Mapping[str, Sequence[str]]:
        """All that it was given, whoever was asked for."""
        self.asked_for_users.append((organizations, resource))
        return self._by_users

    async def names(self, identities: Sequence[str]) -> Mapping[str, str]:
        """All that it was given, whoever was asked for."""
        self.asked_for_names.append(identities)
        await self._pass_the_time()
        return self._names

    async def _pass_the_time(self) -> None:
        """Let everybody else who wants to ask do so."""
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        for _ in range(3):
            await asyncio.sleep(0)
        self._at_once -= 1
