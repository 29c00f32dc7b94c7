"""The contact register that an operator fills: a table beside the orders."""

from collections.abc import Mapping, Sequence

from varsel.contact_register.register import Contact, Resource, usable_addresses, usable_name
from varsel.database.connect import Pool
from varsel.database.statements import statements

SQL = statements("contacts")


class LocalRegister:
    """Answers from our own database; where that is away, so is everything else, and its errors pass through."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def contacts(self, identities: Sequence[str]) -> Mapping[str, Contact]:
        """The contacts of those that are in the table, by a single statement."""
        rows = await self._pool.fetch(SQL["contacts_of_identities"], identities)
        return {row["identity"]: Contact(usable_addresses(row["email_addresses"]), row["is_reserved"]) for row in rows}

    async def registered_by_users(
        self, organizations: Sequence[str], resource: Resource
    ) -> Mapping[str, Sequence[str]]:
        """Nobody's: what an operator fills in are official contacts."""
        return {}

    async def names(self, identities: Sequence[str]) -> Mapping[str, str]:
        """The names of those that are in the table with one."""
        rows = await self._pool.fetch(SQL["names_of_identities"], identities)
        return {row["identity"]: name for row in rows if (name := usable_name(row["name"]))}
