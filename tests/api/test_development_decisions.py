"""The policy decision point that development mode plays."""

from typing import Any

import httpx2
import pytest

from tests.api.bodies import reasons_in
from tests.api.registers import (
    ACTION_ID,
    DECISION,
    PARTY_ID,
    RESOURCE,
    RESOURCE_ID,
    SUBJECT,
    USER_ID,
    ask,
    attribute,
    decision_body,
)

KARI, OLA, STRANGER = "20001", "20002", "20003"
BARE_BRUKERE, OVERLAPP, ENKEL = "50005", "50006", "50001"


async def decided(client: httpx2.AsyncClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await ask(client, DECISION, body)
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == ["response"]
    results: list[dict[str, Any]] = answer.json()["response"]
    return results


def with_names_in(value: Any, change: Any) -> Any:
    """The same JSON with the name of every member changed."""
    if isinstance(value, dict):
        return {change(name): with_names_in(member, change) for name, member in value.items()}
    return [with_names_in(item, change) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("user", "party", "decision"),
    [
        (KARI, BARE_BRUKERE, "Permit"),
        (OLA, BARE_BRUKERE, "Deny"),
        (KARI, OVERLAPP, "Permit"),
        (OLA, OVERLAPP, "Permit"),
        (KARI, ENKEL, "NotApplicable"),
        (STRANGER, BARE_BRUKERE, "NotApplicable"),
        ("", "", "NotApplicable"),
    ],
)
async def test_each_user_gets_the_decision_of_the_table(
    developer: httpx2.AsyncClient, user: str, party: str, decision: str
) -> None:
    [result] = await decided(developer, decision_body([(user, party)]))

    assert result == {
        "decision": decision,
        "category": [
            {"categoryId": SUBJECT, "attribute": [{"attributeId": USER_ID, "value": user}]},
            {"categoryId": RESOURCE, "attribute": [{"attributeId": PARTY_ID, "value": party}]},
        ],
    }


@pytest.mark.parametrize(
    ("action", "decision"),
    [("read", "Permit"), ("access", "Permit"), ("write", "NotApplicable"), ("", "NotApplicable")],
)
async def test_whoever_may_act_may_read_and_access_only(
    developer: httpx2.AsyncClient, action: str, decision: str
) -> None:
    [result] = await decided(developer, decision_body([(KARI, BARE_BRUKERE)], action=action))

    assert result["decision"] == decision


@pytest.mark.parametrize(
    ("resource", "decision"),
    [
        ([attribute(RESOURCE_ID, "anything")], "Permit"),
        ([attribute("urn:altinn:org", "ttd"), attribute("urn:altinn:app", "min-app")], "Permit"),
        ([attribute("urn:altinn:org", "ttd")], "NotApplicable"),
        ([attribute("urn:altinn:app", "min-app")], "NotApplicable"),
        ([attribute(RESOURCE_ID, "")], "NotApplicable"),
        ([attribute("urn:altinn:task", "Task_1")], "NotApplicable"),
    ],
    ids=str,
)
async def test_a_resource_is_named_by_its_id_or_as_an_app(
    developer: httpx2.AsyncClient, resource: list[dict[str, object]], decision: str
) -> None:
    [result] = await decided(developer, decision_body([(KARI, BARE_BRUKERE)], resource=resource))

    assert result["decision"] == decision


async def test_there_is_one_decision_for_each_question_in_another_order(developer: httpx2.AsyncClient) -> None:
    questions = [(KARI, BARE_BRUKERE), (OLA, BARE_BRUKERE), (STRANGER, OVERLAPP)]

    results = await decided(developer, decision_body(questions))

    told = [
        (*(category["attribute"][0]["value"] for category in result["category"]), result["decision"])
        for result in results
    ]
    assert told == [
        (STRANGER, OVERLAPP, "NotApplicable"),
        (OLA, BARE_BRUKERE, "Deny"),
        (KARI, BARE_BRUKERE, "Permit"),
    ]


async def test_only_attributes_that_are_to_be_included_come_back(developer: httpx2.AsyncClient) -> None:
    body = decision_body([(KARI, BARE_BRUKERE)])
    body["Request"]["AccessSubject"][0]["Attribute"] = [attribute(USER_ID, KARI)]
    body["Request"]["Action"][0]["Attribute"] = [attribute(ACTION_ID, "read", is_included=True)]

    [result] = await decided(developer, body)

    assert result["decision"] == "Permit"
    assert [category["attribute"] for category in result["category"]] == [
        [{"attributeId": ACTION_ID, "value": "read"}],
        [{"attributeId": PARTY_ID, "value": BARE_BRUKERE}],
    ]


async def test_a_request_without_references_is_one_question(developer: httpx2.AsyncClient) -> None:
    body = decision_body([(KARI, BARE_BRUKERE)])
    del body["Request"]["MultiRequests"]

    assert [result["decision"] for result in await decided(developer, body)] == ["Permit"]


@pytest.mark.parametrize("change", [str.lower, str.upper, lambda name: name[0].lower() + name[1:]])
async def test_names_of_members_are_read_in_any_case(developer: httpx2.AsyncClient, change: Any) -> None:
    body = with_names_in(decision_body([(KARI, BARE_BRUKERE), (OLA, BARE_BRUKERE)]), change)

    assert [result["decision"] for result in await decided(developer, body)] == ["Deny", "Permit"]


async def test_what_a_client_says_besides_is_ignored(developer: httpx2.AsyncClient) -> None:
    body = decision_body([(KARI, BARE_BRUKERE)])
    body["Request"] |= {"ReturnPolicyIdList": False, "XPathVersion": None, "Category": []}
    body["Request"]["AccessSubject"][0]["Attribute"][0] |= {"DataType": "string", "Issuer": None, "Value": int(KARI)}

    [result] = await decided(developer, body)

    assert result["decision"] == "Permit"
    assert result["category"][0]["attribute"][0]["value"] == KARI


async def test_an_attribute_counts_only_in_its_own_category(developer: httpx2.AsyncClient) -> None:
    body = decision_body([(KARI, BARE_BRUKERE)])
    body["Request"]["Resource"][0]["Attribute"] += body["Request"]["AccessSubject"][0].pop("Attribute")

    [result] = await decided(developer, body)

    assert result["decision"] == "NotApplicable"


@pytest.mark.parametrize(
    "references", [[{"ReferenceId": ["s0", "a", "r1"]}], [{"ReferenceId": ["S0"]}], [{"ReferenceId": [""]}]], ids=str
)
async def test_a_reference_to_nothing_is_refused(
    developer: httpx2.AsyncClient, references: list[dict[str, object]]
) -> None:
    body = decision_body([(KARI, BARE_BRUKERE)])
    body["Request"]["MultiRequests"]["RequestReference"] = references

    [(place, [message])] = reasons_in(await ask(developer, DECISION, body)).items()

    assert place == "Request.MultiRequests"
    assert message.startswith("Nothing in the request has the Id '")


@pytest.mark.parametrize(
    "changes",
    [
        {"AccessSubject": None},
        {"Action": {"Id": "a"}},
        {"Resource": ["r0"]},
        {"Resource": [{"Id": "r0", "Attribute": [{"Value": "x"}]}]},
        {"Resource": [{"Id": "r0", "Attribute": [{"AttributeId": "x", "Value": ["x"]}]}]},
        {"MultiRequests": {}},
        {"MultiRequests": {"RequestReference": [{"ReferenceId": "s0"}]}},
        {"MultiRequests": {"RequestReference": [{"ReferenceId": ["s0"]}] * 1_001}},
    ],
    ids=lambda changes: str(changes)[:80],
)
async def test_a_request_of_another_form_or_with_too_many_questions_is_refused(
    developer: httpx2.AsyncClient, changes: dict[str, Any]
) -> None:
    body = {"Request": decision_body([(KARI, BARE_BRUKERE)])["Request"] | changes}

    assert reasons_in(await ask(developer, DECISION, body))
