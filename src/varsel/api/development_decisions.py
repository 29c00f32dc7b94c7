"""The policy decision point as development mode plays it: XACML's JSON profile, several questions a request."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from varsel.api.development_wire import (
    AttributeResult,
    CategoryRequest,
    CategoryResult,
    DecisionRequest,
    DecisionResponse,
    DecisionResult,
    XacmlRequest,
)
from varsel.api.problems import json
from varsel.api.read_lookup import read_lookup
from varsel.api.routing import Resource, resource
from varsel.errors import InvalidOrder
from varsel.sandbox.contact_player import Decision, decision_on

DECISION_PATH = "/authorization/api/v1/decision"

SUBJECT = "urn:oasis:names:tc:xacml:1.0:subject-category:access-subject"
ACTION = "urn:oasis:names:tc:xacml:3.0:attribute-category:action"
RESOURCE = "urn:oasis:names:tc:xacml:3.0:attribute-category:resource"

USER_ID = "urn:altinn:userid"
ACTION_ID = "urn:oasis:names:tc:xacml:1.0:action:action-id"
PARTY_ID = "urn:altinn:partyid"
RESOURCE_ID = "urn:altinn:resource"
ORG, APP = "urn:altinn:org", "urn:altinn:app"  # together they name a resource that is an app

Question = Sequence[tuple[str, CategoryRequest]]  # each with the name of its category


def decision_resources() -> Sequence[Resource]:
    """The one resource of the policy decision point."""
    return (resource(DECISION_PATH, POST=_post_decision),)


async def _post_decision(request: Request) -> Response:
    """A decision on each question, in another order than asked: nobody may rely on the order."""
    asked = await read_lookup(request, DecisionRequest)
    return json(DecisionResponse([_result(question) for question in reversed(_questions(asked.request))]))


def _questions(asked: XacmlRequest) -> Sequence[Question]:
    """What is asked, taken apart.

    Raises:
        InvalidOrder: a reference names nothing.
    """
    kinds = {SUBJECT: asked.access_subject, ACTION: asked.action, RESOURCE: asked.resource}
    given = [(kind, category) for kind, categories in kinds.items() for category in categories]
    if asked.multi_requests is None:
        return [given]
    by_id = {category.id: (kind, category) for kind, category in given}
    try:
        references = [reference.reference_id for reference in asked.multi_requests.request_reference]
        return [[by_id[name] for name in names] for names in references]
    except KeyError as error:
        raise InvalidOrder({"Request.MultiRequests": [f"Nothing in the request has the Id {error}."]}) from error


def _result(question: Question) -> DecisionResult:
    names_resource = _value(question, RESOURCE, RESOURCE_ID) or (
        _value(question, RESOURCE, ORG) and _value(question, RESOURCE, APP)
    )
    user_id, party_id = _value(question, SUBJECT, USER_ID), _value(question, RESOURCE, PARTY_ID)
    decision = decision_on(user_id, party_id, _value(question, ACTION, ACTION_ID))
    included = [CategoryResult(kind, _included(category)) for kind, category in question]
    return DecisionResult(
        decision if names_resource else Decision.NOT_APPLICABLE, [result for result in included if result.attribute]
    )


def _value(question: Question, kind: str, attribute_id: str) -> str:
    """The value of an attribute; "" where there is none."""
    attributes = (attribute for given, category in question if given == kind for attribute in category.attribute)
    return next((str(given.value) for given in attributes if given.attribute_id == attribute_id), "")


def _included(category: CategoryRequest) -> Sequence[AttributeResult]:
    return [
        AttributeResult(attribute.attribute_id, str(attribute.value))
        for attribute in category.attribute
        if attribute.include_in_result
    ]
