"""Answers of a policy decision point that is played, and what it was asked."""

from collections.abc import Callable, Iterable
from typing import Any

from tests.contact_register.played_register import Asked, Reply, said
from varsel.contact_register.decisions import PARTY_ID, USER_ID, User

SUBJECT = "urn:oasis:names:tc:xacml:1.0:subject-category:access-subject"
CATEGORY = "urn:oasis:names:tc:xacml:3.0:attribute-category:resource"


def result(user: User, decision: object = "Permit") -> dict[str, Any]:
    """As Altinn's writes one."""
    return {
        "decision": decision,
        "status": {"statusCode": {"value": "urn:oasis:names:tc:xacml:1.0:status:ok"}},
        "category": [
            {"categoryId": SUBJECT, "attribute": [{"attributeId": USER_ID, "value": str(user.user_id)}]},
            {"categoryId": CATEGORY, "attribute": [{"attributeId": PARTY_ID, "value": str(user.party_id)}]},
        ],
    }


def decided(*results: object) -> Reply:
    return said({"response": results})


def asked_about(body: Any) -> list[User]:
    """Whom a request asks about, by its references."""
    request = body["Request"]
    values = {
        part["Id"]: {attribute["AttributeId"]: attribute["Value"] for attribute in part["Attribute"]}
        for part in [*request["AccessSubject"], *request["Resource"]]
    }
    references = [reference["ReferenceId"] for reference in request["MultiRequests"]["RequestReference"]]
    return [User(int(values[subject][USER_ID]), int(values[about][PARTY_ID])) for subject, _, about in references]


def permit(users: Iterable[User]) -> Callable[[Asked], Reply]:
    """Permit these and deny everybody else, the last who was asked about first."""
    permitted = set(users)

    def reply(asked: Asked) -> Reply:
        users = asked_about(asked.body)
        return decided(*(result(user, "Permit" if user in permitted else "Deny") for user in reversed(users)))

    return reply
