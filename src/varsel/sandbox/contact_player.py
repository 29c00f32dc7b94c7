"""Play the registers of `contacts`: when a lookup is answered, and who may act for whom."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from enum import StrEnum

from varsel.sandbox.contacts import ORGANIZATIONS, Lookup, Person

SLOW_LOOKUP = timedelta(seconds=2)
ACTIONS = ("read", "access")  # what a user who may act may do, with any resource

# By the platform's numbers, as questions name them.
_USERS = {
    (str(user.person.user_id), str(organization.party_id)): user
    for organization in ORGANIZATIONS.values()
    for user in organization.users
}
_ROUND = (True, False, False, True)  # which lookups in turn a faltering register answers


class Decision(StrEnum):
    """What a policy decision point says; XACML's fourth word, Indeterminate, is never said here."""

    PERMIT = "Permit"
    DENY = "Deny"
    NOT_APPLICABLE = "NotApplicable"  # no policy speaks of it, so it is no permission either


class ContactPlayer:
    """Meets each lookup as its persons have it; how often it has faltered is kept in memory only."""

    def __init__(self, slow_lookup: timedelta = SLOW_LOOKUP) -> None:
        self._slow_lookup = slow_lookup
        self._faltering = 0  # lookups that included a person of that kind

    async def answers(self, persons: Collection[Person]) -> bool:
        """Whether a lookup that includes these is answered, said when it is time to."""
        lookups = {person.lookup for person in persons}
        if Lookup.SLOW in lookups:
            await asyncio.sleep(self._slow_lookup.total_seconds())
        return Lookup.REFUSED not in lookups and (Lookup.FALTERING not in lookups or self._holds())

    def _holds(self) -> bool:
        turn = self._faltering % len(_ROUND)
        self._faltering += 1
        return _ROUND[turn]


def decision_on(user_id: str, party_id: str, action: str) -> Decision:
    """Whether a user may do this for the organisation with this party id."""
    user = _USERS.get((user_id, party_id))
    if user is None or action not in ACTIONS:
        return Decision.NOT_APPLICABLE
    return Decision.PERMIT if user.may_act else Decision.DENY
