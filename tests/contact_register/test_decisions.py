"""Who may act on a resource is the policy decision point's to say, and nobody else's."""

from typing import Any

import httpx2
import pytest

from tests.contact_register.played_decisions import CATEGORY, SUBJECT, asked_about, decided, permit, result
from tests.contact_register.played_register import CLOSE, DECISION, PlayedRegister, Reply, calls_to, said
from varsel.contact_register.decisions import ACTION_ID, PARTY_ID, USER_ID, Decisions, User
from varsel.contact_register.register import BATCH, Resource
from varsel.errors import RegisterUnavailable

KARI, OLA = User(20001, 50005), User(20002, 50005)
BRUKERE, OVERLAPP = "310700002", "310800007"
RESOURCE = Resource("skjema", "read")


@pytest.fixture
def decisions(played: PlayedRegister, http: httpx2.AsyncClient) -> Decisions:
    return Decisions(calls_to(f"{played.url}/authorization", http))


async def test_each_question_names_user_action_resource_and_party(decisions: Decisions, played: PlayedRegister) -> None:
    played.replies[DECISION] = permit([])

    await decisions.permitted([KARI, OLA], Resource("skjema", "access"))

    assert [(asked.path, asked.body) for asked in played.asked] == [
        (
            DECISION,
            {
                "Request": {
                    "AccessSubject": [
                        {
                            "Id": "s1",
                            "Attribute": [{"AttributeId": USER_ID, "Value": "20001", "IncludeInResult": True}],
                        },
                        {
                            "Id": "s2",
                            "Attribute": [{"AttributeId": USER_ID, "Value": "20002", "IncludeInResult": True}],
                        },
                    ],
                    "Action": [{"Id": "a1", "Attribute": [{"AttributeId": ACTION_ID, "Value": "access"}]}],
                    "Resource": [
                        {
                            "Id": f"r{number}",
                            "Attribute": [
                                {"AttributeId": "urn:altinn:resource", "Value": "skjema"},
                                {"AttributeId": PARTY_ID, "Value": "50005", "IncludeInResult": True},
                            ],
                        }
                        for number in (1, 2)
                    ],
                    "MultiRequests": {
                        "RequestReference": [{"ReferenceId": ["s1", "a1", "r1"]}, {"ReferenceId": ["s2", "a1", "r2"]}]
                    },
                }
            },
        )
    ]


@pytest.mark.parametrize(
    ("resource", "attributes"),
    [
        ("skjema", {"urn:altinn:resource": "skjema"}),
        ("app_ttd_apps-test", {"urn:altinn:org": "ttd", "urn:altinn:app": "apps-test"}),
        ("app_ttd_with_underscores", {"urn:altinn:org": "ttd", "urn:altinn:app": "with_underscores"}),
        ("app_ttd", {"urn:altinn:resource": "app_ttd"}),
        ("app_ttd_", {"urn:altinn:resource": "app_ttd_"}),
        ("app__test", {"urn:altinn:resource": "app__test"}),
        ("my_app_ttd_test", {"urn:altinn:resource": "my_app_ttd_test"}),
        ("APP_ttd_test", {"urn:altinn:resource": "APP_ttd_test"}),
    ],
)
async def test_an_app_is_named_by_its_owner_and_its_name(
    decisions: Decisions, played: PlayedRegister, resource: str, attributes: dict[str, str]
) -> None:
    played.replies[DECISION] = permit([])

    await decisions.permitted([KARI], Resource(resource, "read"))

    [part] = played.asked[0].body["Request"]["Resource"]
    named = {attribute["AttributeId"]: attribute["Value"] for attribute in part["Attribute"]}
    assert named == attributes | {PARTY_ID: "50005"}


async def test_whoever_is_permitted_is_told_apart_by_attributes_not_by_place(
    decisions: Decisions, played: PlayedRegister
) -> None:
    played.replies[DECISION] = permit([KARI, User(20001, 50006)])

    permitted = await decisions.permitted([KARI, OLA, User(20001, 50006), User(20002, 50006)], RESOURCE)

    assert permitted == {KARI, User(20001, 50006)}


@pytest.mark.parametrize("decision", ["Deny", "NotApplicable", "Indeterminate", "permit", "Permitted", ""])
async def test_whatever_is_not_permit_permits_nobody(
    decisions: Decisions, played: PlayedRegister, decision: str
) -> None:
    played.replies[DECISION] = decided(result(KARI, decision))

    assert await decisions.permitted([KARI], RESOURCE) == set()


PASCAL = {
    "Response": [
        {
            "Decision": "Permit",
            "Status": None,
            "Obligations": [{"id": "x"}],
            "Category": [
                {"CategoryId": SUBJECT, "Id": None, "Attribute": [{"AttributeId": USER_ID, "Value": "20001"}]},
                {"CategoryId": CATEGORY, "Attribute": [{"AttributeId": PARTY_ID, "Value": 50005, "DataType": "x"}]},
            ],
        }
    ]
}


@pytest.mark.parametrize("document", [PASCAL, {"response": [result(KARI)], "more": {"Response": []}}])
async def test_names_of_members_are_read_in_any_case(
    decisions: Decisions, played: PlayedRegister, document: object
) -> None:
    played.replies[DECISION] = said(document)

    assert await decisions.permitted([KARI], RESOURCE) == {KARI}


async def test_nobody_is_permitted_of_whom_nothing_was_asked(decisions: Decisions, played: PlayedRegister) -> None:
    played.replies[DECISION] = decided(result(User(20001, 50006)), result(User(20002, 50005)), result(User(1, 1)))

    assert await decisions.permitted([KARI], RESOURCE) == set()


@pytest.mark.parametrize("results", [[], [result(OLA)]], ids=["nobody", "only another"])
async def test_nobody_is_permitted_of_whom_nothing_is_said(
    decisions: Decisions, played: PlayedRegister, results: list[object]
) -> None:
    played.replies[DECISION] = decided(*results)

    assert KARI not in await decisions.permitted([KARI, OLA], RESOURCE)


async def test_what_is_not_permitted_need_not_say_about_whom(decisions: Decisions, played: PlayedRegister) -> None:
    played.replies[DECISION] = decided(
        {"decision": "NotApplicable"}, {"decision": "Deny", "category": None}, result(KARI)
    )

    assert await decisions.permitted([KARI, OLA], RESOURCE) == {KARI}


def without(name: str) -> dict[str, Any]:
    """A permission that does not say all about whom."""
    permission = result(KARI)
    for category in permission["category"]:
        category["attribute"] = [a for a in category["attribute"] if a["attributeId"] != name]
    return permission


def with_value(value: object) -> dict[str, Any]:
    permission = result(KARI)
    permission["category"][0]["attribute"][0]["value"] = value
    return permission


@pytest.mark.parametrize(
    "permission",
    [
        without(USER_ID),
        without(PARTY_ID),
        {"decision": "Permit"},
        {"decision": "Permit", "category": None},
        {"decision": "Permit", "category": [{"attribute": None}]},
        with_value("Kari"),
        with_value(""),
        with_value(None),
        with_value(["20001"]),
        with_value({"id": 20001}),
        with_value("9" * 5_000),
        with_value(20001.5),
        with_value(True),
    ],
)
async def test_a_permission_that_does_not_say_for_whom_makes_the_answer_unusable(
    decisions: Decisions, played: PlayedRegister, permission: object
) -> None:
    played.replies[DECISION] = decided(result(OLA), permission)

    with pytest.raises(RegisterUnavailable, match=r"^the policy decision point's answer cannot be read$"):
        await decisions.permitted([KARI, OLA], RESOURCE)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "Permit",
        {},
        {"response": None},
        {"response": {"decision": "Permit"}},
        {"response": ["Permit"]},
        {"response": [{}]},
        {"response": [result(KARI, None)]},
        {"response": [result(KARI, True)]},
        {"response": [result(KARI) | {"category": {"attribute": []}}]},
        b'{"response": ' + b"[" * 900 + b"]" * 900 + b"}",
    ],
    ids=lambda document: repr(document)[:40],
)
async def test_an_answer_of_another_form_permits_nobody_and_denies_nobody(
    decisions: Decisions, played: PlayedRegister, document: object
) -> None:
    played.replies[DECISION] = said(document)

    with pytest.raises(RegisterUnavailable, match=r"^the policy decision point's answer cannot be read$"):
        await decisions.permitted([KARI], RESOURCE)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (CLOSE, "RemoteProtocolError"),
        (said({}, 401), "it says 401"),
        (said({}, 403), "it says 403"),
        (said({}, 500), "it says 500"),
        (said(b"<html>Permit</html>"), "its answer cannot be read"),
        (said(b""), "its answer cannot be read"),
    ],
)
async def test_a_policy_decision_point_that_does_not_answer_permits_nobody_and_denies_nobody(
    decisions: Decisions, played: PlayedRegister, reply: Reply, reason: str
) -> None:
    played.replies[DECISION] = reply

    with pytest.raises(RegisterUnavailable) as raised:
        await decisions.permitted([KARI], RESOURCE)
    assert str(raised.value) == reason


async def test_questions_are_asked_in_batches(decisions: Decisions, played: PlayedRegister) -> None:
    users = [User(number, number % 7) for number in range(2 * BATCH + 1)]
    played.replies[DECISION] = permit(users[::2])

    permitted = await decisions.permitted(users, RESOURCE)

    assert permitted == set(users[::2])
    asked = [asked_about(body) for body in played.asked_at(DECISION)]
    assert [len(batch) for batch in asked] == [BATCH, BATCH, 1]
    assert [user for batch in asked for user in batch] == users


async def test_one_batch_that_is_not_answered_is_enough_to_permit_nobody(
    decisions: Decisions, played: PlayedRegister
) -> None:
    users = [User(number, 1) for number in range(BATCH + 1)]
    played.replies[DECISION] = lambda asked: (
        permit(users)(asked) if len(asked_about(asked.body)) == BATCH else said({}, 503)
    )

    with pytest.raises(RegisterUnavailable):
        await decisions.permitted(users, RESOURCE)


async def test_where_there_are_no_users_nothing_is_asked(decisions: Decisions, played: PlayedRegister) -> None:
    assert await decisions.permitted([], RESOURCE) == set()
    assert played.paths == []
