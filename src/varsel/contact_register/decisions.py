"""Ask a policy decision point which users may act on a resource: XACML 3.0 in JSON, many questions a request.

Results come in any order, so each question's user and organisation are asked back (IncludeInResult).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct

from varsel.contact_register.calls import Calls
from varsel.contact_register.register import BATCH, Resource
from varsel.errors import RegisterUnavailable

USER_ID = "urn:altinn:userid"
PARTY_ID = "urn:altinn:partyid"
ACTION_ID = "urn:oasis:names:tc:xacml:1.0:action:action-id"

_APP = re.compile(r"app_([^_]+)_(.+)")  # how a resource of the app kind is named: by owner and app


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has registered an address for their work for an organisation, both by the platform's own numbers."""

    user_id: int
    party_id: int


class _Attribute(Struct, frozen=True):
    attributeid: str | None = None
    value: Any = None


class _Category(Struct, frozen=True):
    attribute: list[_Attribute] | None = None


class _Result(Struct, frozen=True):
    decision: str
    category: list[_Category] | None = None


class _Response(Struct, frozen=True):
    response: list[_Result]


class Decisions:
    """The policy decision point that these calls lead to."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def permitted(self, users: Sequence[User], resource: Resource) -> set[User]:
        """Those of the users who may do this.

        Raises:
            RegisterUnavailable: it cannot be asked, or says something that cannot be read.
        """
        found: set[User] = set()
        for start in range(0, len(users), BATCH):
            asked = users[start : start + BATCH]
            answer = await self._calls.post("/decision", _request(asked, resource), Any)
            found |= set(_permitted_in(answer)) & set(asked)
        return found


def _request(users: Sequence[User], resource: Resource) -> dict[str, object]:
    numbered = list(enumerate(users, 1))
    return {
        "Request": {
            "AccessSubject": [_part(f"s{n}", {USER_ID: str(user.user_id)}, asked_back=USER_ID) for n, user in numbered],
            "Action": [_part("a1", {ACTION_ID: resource.action})],
            "Resource": [
                _part(f"r{n}", _attributes_of(resource) | {PARTY_ID: str(user.party_id)}, asked_back=PARTY_ID)
                for n, user in numbered
            ],
            "MultiRequests": {"RequestReference": [{"ReferenceId": [f"s{n}", "a1", f"r{n}"]} for n, _ in numbered]},
        }
    }


def _part(part_id: str, attributes: dict[str, str], *, asked_back: str = "") -> dict[str, object]:
    return {
        "Id": part_id,
        "Attribute": [
            {"AttributeId": name, "Value": value} | ({"IncludeInResult": True} if name == asked_back else {})
            for name, value in attributes.items()
        ],
    }


def _attributes_of(resource: Resource) -> dict[str, str]:
    if match := _APP.fullmatch(resource.id):
        return {"urn:altinn:org": match[1], "urn:altinn:app": match[2]}
    return {"urn:altinn:resource": resource.id}


def _permitted_in(answer: object) -> Iterator[User]:
    """The users of the results that permit; names in any case, for implementations differ."""
    try:
        response = msgspec.convert(_lower_names(answer), type=_Response)
        for result in response.response:
            if result.decision == "Permit":
                values = {a.attributeid: a.value for c in result.category or () for a in c.attribute or ()}
                # By way of text, for a number with decimals must not become somebody else's.
                yield User(int(str(values[USER_ID])), int(str(values[PARTY_ID])))
    except (msgspec.ValidationError, KeyError, ValueError, RecursionError) as error:
        raise RegisterUnavailable("the policy decision point's answer cannot be read") from error


def _lower_names(value: object) -> object:
    if isinstance(value, dict):
        return {str(name).lower(): _lower_names(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_lower_names(inner) for inner in value]
    return value
