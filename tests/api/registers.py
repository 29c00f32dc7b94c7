"""Asking the registers that development mode plays, as their clients do."""

from collections.abc import Sequence
from typing import Any

import httpx2

PERSONS = "/profile/api/v1/users/contactpoint/lookup"
ORGANIZATIONS = "/profile/api/v1/organizations/notificationaddresses/lookup"
UNITS = "/profile/api/v1/units/contactpoint/lookup"
NAMES = "/register/api/v1/parties/nameslookup"
DECISION = "/authorization/api/v1/decision"

USER_ID, PARTY_ID, RESOURCE_ID = "urn:altinn:userid", "urn:altinn:partyid", "urn:altinn:resource"
ACTION_ID = "urn:oasis:names:tc:xacml:1.0:action:action-id"
SUBJECT = "urn:oasis:names:tc:xacml:1.0:subject-category:access-subject"
RESOURCE = "urn:oasis:names:tc:xacml:3.0:attribute-category:resource"


async def platform_token(client: httpx2.AsyncClient) -> dict[str, str]:
    """The header of a platform component."""
    return {"PlatformAccessToken": (await client.get("/api/GetPlatformAccessToken?org=platform")).text}


async def bearer(client: httpx2.AsyncClient) -> dict[str, str]:
    """The header of a service owner."""
    return {"Authorization": f"Bearer {(await client.get('/api/GetEnterpriseToken?org=ttd')).text}"}


async def ask(client: httpx2.AsyncClient, path: str, body: Any) -> httpx2.Response:
    """The answer to a platform component."""
    return await client.post(path, json=body, headers=await platform_token(client))


async def contact_points(client: httpx2.AsyncClient, path: str, body: Any) -> list[dict[str, Any]]:
    """The contact points in an answer that is given."""
    answer = await ask(client, path, body)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["contactPointsList"]
    listed: list[dict[str, Any]] = answer.json()["contactPointsList"]
    return listed


def attribute(name: str, value: object, *, is_included: bool = False) -> dict[str, object]:
    """An attribute of a decision request."""
    return {"AttributeId": name, "Value": value} | ({"IncludeInResult": True} if is_included else {})


def decision_body(
    questions: Sequence[tuple[str, str]], *, action: str = "read", resource: Sequence[dict[str, object]] = ()
) -> dict[str, Any]:
    """A decision request: for each user id and party id, whether the user may."""
    about = resource or [attribute(RESOURCE_ID, "skattemelding")]
    numbered = list(enumerate(questions))
    return {
        "Request": {
            "AccessSubject": [
                {"Id": f"s{n}", "Attribute": [attribute(USER_ID, user, is_included=True)]} for n, (user, _) in numbered
            ],
            "Action": [{"Id": "a", "Attribute": [attribute(ACTION_ID, action)]}],
            "Resource": [
                {"Id": f"r{n}", "Attribute": [*about, attribute(PARTY_ID, party, is_included=True)]}
                for n, (_, party) in numbered
            ],
            "MultiRequests": {"RequestReference": [{"ReferenceId": [f"s{n}", "a", f"r{n}"]} for n, _ in numbered]},
        }
    }
