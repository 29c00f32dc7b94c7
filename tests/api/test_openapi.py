"""The OpenAPI document: valid, complete, and true in what it says of requests."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api.bodies import KARI, ORDERS, email_body, order_body
from tests.api.document import DOCUMENT, found, judge, operations
from varsel.api.app import RESOURCES
from varsel.api.openapi.pieces import Json, ref
from varsel.settings import Settings

LATER = "2036-05-02T09:00:00+02:00"
PERSON, ORGANIZATION = {"nationalIdentityNumber": "01877512345"}, {"organizationNumber": "991825827"}


async def test_it_is_served_to_whoever_asks(anonymous: httpx2.AsyncClient) -> None:
    answer = await anonymous.get("/openapi.json")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json()["servers"][0]["url"] == "http://varsel.test"
    assert answer.json()["paths"] == json.loads(json.dumps(DOCUMENT["paths"]))


async def test_it_says_where_test_tokens_are_only_in_development_mode(
    anonymous: httpx2.AsyncClient, settings: Settings
) -> None:
    bearer = (await anonymous.get("/openapi.json")).json()["components"]["securitySchemes"]["bearer"]

    assert settings.dev
    assert "GetEnterpriseToken" in bearer["description"]
    assert "GetEnterpriseToken" not in json.dumps(DOCUMENT)


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_it_holds_every_route_and_no_other() -> None:
    routed = {(method.lower(), resource.path) for resource in RESOURCES for method in resource.endpoints}

    assert {(method, path) for method, path, _ in operations()} == routed


def test_the_names_of_its_operations_stay() -> None:
    assert [operation["operationId"] for _, _, operation in operations()] == [
        "placeEmailOrder",
        "findOrders",
        "placeOrder",
        "placeSmsOrder",
        "getOrder",
        "cancelOrder",
        "getOrderStatus",
        "getEmailNotifications",
        "getSmsNotifications",
        "getEmailNotificationsByOldPath",
        "getTestSendCondition",
        "getHealth",
    ]


def test_every_component_is_used() -> None:
    text = json.dumps(DOCUMENT)
    components = {kind: list(named) for kind, named in DOCUMENT["components"].items()}

    schemes = components.pop("securitySchemes")
    references = [f'"#/components/{kind}/{name}"' for kind, names in components.items() for name in names]

    assert [reference for reference in references if reference not in text] == []
    assert sorted(name for scheme in DOCUMENT["security"] for name in scheme) == sorted(schemes)


def examples() -> Iterator[Any]:
    for _, _, operation in operations():
        name = operation["operationId"]
        bodies = [operation.get("requestBody", {}), *map(found, operation["responses"].values())]
        for content in (content for body in bodies for content in body.get("content", {}).values()):
            for example in content.get("examples", {}).values():
                yield pytest.param(content["schema"], example["value"], id=f"{name}-{example['summary']}")
        for parameter in map(found, operation.get("parameters", [])):
            if "example" in parameter:
                yield pytest.param(parameter["schema"], parameter["example"], id=f"{name}-{parameter['name']}")


@pytest.mark.parametrize(("schema", "example"), list(examples()))
def test_its_examples_are_as_its_schemas_say(schema: Json | bool, example: Any) -> None:
    judge(schema, is_strict=True).validate(example)


@pytest.mark.parametrize("path", [ORDERS, f"{ORDERS}/email"])
async def test_its_examples_of_orders_are_taken(client: httpx2.AsyncClient, path: str) -> None:
    examples = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]

    answers = [await client.post(path, json=example["value"]) for example in examples.values()]

    assert {answer.status_code for answer in answers} == {202}


# Members of an order of e-mail that are taken, and that are not.
TAKEN: list[dict[str, Any]] = [
    {},
    *({"contentType": kind} for kind in ("Html", "html", " PLAIN ", 0, 1, "0", "1", "01", None)),
    *({"sendersReference": reference} for reference in (None, "", "sak-42")),
    *({"requestedSendTime": f"2036-05-02T09:00{rest}"} for rest in ("Z", ":00Z", ":00.1234567Z", "+02:00", "-11:30")),
    *({"conditionEndpoint": url} for url in (None, "http://a.no", "HTTPS://u@a-b.example:8080/x?y#z", " http://a.no")),
    *({"ignoreReservation": ignored} for ignored in (None, True, False)),
    *({"resourceId": resource, "resourceAction": None} for resource in (None, "", " ", "urn:x")),
    {"resourceAction": ""},
    {"resourceId": "urn:x", "resourceAction": "read"},
    {"recipients": [PERSON, ORGANIZATION, KARI]},
    {"recipients": [KARI | {"mobileNumber": "+4799999999", "nationalIdentityNumber": "", "organizationNumber": None}]},
    {"recipients": [PERSON | {"emailAddress": "", "mobileNumber": None, "isReserved": True}]},
    {"recipients": [KARI | {"isReserved": None, "name": "Kari"}]},
    {"recipients": [{"emailAddress": "kåre@example.no"}]},
    {"fromAddress": 1, "priority": {"unknown": [None]}},
]
NO_RECIPIENTS: list[Any] = [None, [], KARI, [None], ["kari@sandbox.test"], [{}], [KARI, {}]]
REFUSED: list[dict[str, Any]] = [
    *({"contentType": kind} for kind in ("", "Text", 2, -1, True, "2", 0.5, ["Html"], {"Html": 1})),
    {"sendersReference": 42},
    *({"requestedSendTime": time} for time in (None, "", 0, "2036-05-02", "2036-05-02T09:00:00", "2036-05-02 09:00Z")),
    *({"conditionEndpoint": url} for url in ("", "ftp://a.no", "a.no", "http://localhost", "http://127.0.0.1", 1)),
    *({"ignoreReservation": ignored} for ignored in ("true", 1, "")),
    *({"resourceId": resource, "resourceAction": "read"} for resource in (None, "", " ")),
    {"resourceAction": "read"},
    {"resourceId": "urn:x", "resourceAction": " "},
    *({"subject": text} for text in (None, "", " ", "\t", 1)),
    *({"body": text} for text in (None, "", "\n", ["Hei"])),
    *({"recipients": recipients} for recipients in NO_RECIPIENTS),
    *({"recipients": [KARI | more]} for more in (PERSON, ORGANIZATION, {"emailAddress": None}, {"emailAddress": 1})),
    *({"recipients": [PERSON | more]} for more in (ORGANIZATION, {"mobileNumber": "+4799999999"})),
    *({"recipients": [{"nationalIdentityNumber": number}]} for number in ("", "1", "0187751234x", 1877512345)),
    *({"recipients": [{"organizationNumber": number}]} for number in ("", "1", "99182582x", "9918258271")),
    {"recipients": [KARI | {"isReserved": "no"}]},
]


@pytest.mark.parametrize(("changes", "status"), [(each, 202) for each in TAKEN] + [(each, 400) for each in REFUSED])
async def test_it_allows_orders_of_email_that_are_taken_and_no_others(
    client: httpx2.AsyncClient, changes: dict[str, Any], status: int
) -> None:
    body = email_body(**changes)

    answer = await client.post(f"{ORDERS}/email", json=body)

    assert answer.status_code == status
    assert judge(ref("EmailOrderRequest")).is_valid(body) is (status == 202)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        *(({"notificationChannel": channel}, 202) for channel in ("Email", "email", " EMAIL ", 0, "0", "00")),
        *(({"notificationChannel": channel}, 400) for channel in (None, "", "Sms", 1, "1", "EmailPreferred", 5, False)),
        *(({"emailTemplate": template}, 400) for template in (None, "Hei", {"subject": "Hei"}, {"body": "Hei"})),
        *(({"emailTemplate": {"subject": "Hei", "body": text}}, 400) for text in (None, "", " ")),
        *(({"emailTemplate": {"subject": text, "body": "Hei"}}, 400) for text in (None, "", " ")),
        *(({"emailTemplate": {"subject": "a", "body": "b", "fromAddress": text}}, 202) for text in ("", "a@b.no")),
        *(({"emailTemplate": {"subject": "a", "body": "b", "fromAddress": text}}, 400) for text in (None, 1)),
        *(({"emailTemplate": {"subject": "a", "body": "b", "contentType": kind}}, 202) for kind in (None, "HTML", 1)),
        *(({"emailTemplate": {"subject": "a", "body": "b", "contentType": kind}}, 400) for kind in ("Text", 2)),
        ({"smsTemplate": {"body": "Hei"}, "requestedSendTime": LATER}, 202),
    ],
)
async def test_it_allows_orders_that_are_taken_and_no_others(
    client: httpx2.AsyncClient, changes: dict[str, Any], status: int
) -> None:
    body = order_body(**changes)

    answer = await client.post(ORDERS, json=body)

    assert answer.status_code == status
    assert judge(ref("OrderRequest")).is_valid(body) is (status == 202)
