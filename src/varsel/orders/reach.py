"""Who could be reached if an order were sent now: what an owner is told when the order is placed."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from varsel.contact_register.lookups import look_up
from varsel.contact_register.register import ContactRegister
from varsel.errors import RegisterUnavailable
from varsel.orders.addressees import NOBODY, identity_of
from varsel.orders.order import Recipient

LIMIT = 60.0  # seconds; the owner waits, and clients written in .NET do so for 100


@dataclass(frozen=True, slots=True)
class Reach:
    """What the contact register says now; it is asked again when the order is due."""

    looked_up: int  # recipients without an address of their own, duplicates included
    reserved: Sequence[str]  # whatever the order says of reservations
    missing: Sequence[str]  # without an address and not reserved


async def reach_of(
    register: ContactRegister,
    recipients: Sequence[Recipient],
    in_turn: AbstractAsyncContextManager[object] | None = None,
) -> Reach:
    """Look up whoever has no address, among the official contacts only; if there is anybody, `in_turn`.

    Raises:
        RegisterUnavailable: nobody knows, or not in time.
    """
    identities = [identity for recipient in recipients if (identity := identity_of(recipient))]
    if not identities:
        return Reach(0, [], [])
    limit = asyncio.timeout(LIMIT)
    try:
        async with limit, in_turn or nullcontext():
            contacts = await look_up(register, identities)
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise RegisterUnavailable(f"not all answers within {LIMIT:g} s") from error
    found = {identity: contacts.get(identity, NOBODY) for identity in identities}
    return Reach(
        looked_up=len(identities),
        reserved=[identity for identity, contact in found.items() if contact.is_reserved],
        missing=[i for i, contact in found.items() if not contact.is_reserved and not contact.email_addresses],
    )
