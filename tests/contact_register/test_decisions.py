"""Who may act on a resource is the policy decision point's to say, and nobody else's."""

from collections.abc import Callable, Iterable
from typing import Any

import httpx2
import pytest

from tests.contact_register.played_register import (
    CLOSE,
    DECISION,
    ORGANIZATIONS,
    PERSONS,
    UNITS,
    Asked,
    PlayedRegister,
    Reply,
    altinn_registers,
    calls_to,
    contact_points,
    said,
)
from varsel.contact_register.altinn import AltinnRegisters
from varsel.contact_register.decisions import ACTION_ID, PARTY_ID, USER_ID, Decisions, User
from varsel.contact_register.lookups import look_up
from varsel.contact_register.register import BATCH, Contact, Resource
from varsel.errors import RegisterUnavailable

KARI, OLA = User(20001, 50005), User(20002, 50005)
BRUKERE, OVERLAPP = "310700002", "310800007"
RESOURCE = Resource("skjema", "read")
SUBJECT = "urn:oasis:names:tc:xacml:1.0:subject-category:access-subject"
CATEGORY = "urn:oasis:names:tc:xacml:3.0:attribute-category:resource"


@pytest.fixture
def decisions(played: PlayedRegister, http: httpx2.AsyncClient) -> Decisions:
    return Decisions(calls_to(f"{played.url}/authorization", http))


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


def unit(number: str | None, party_id: int, *users: tuple[int, object]) -> dict[str, Any]:
    """As Profile writes one."""
    contacts = [
        {"userId": user_id, "nationalIdentityNumber": "", "isReserved": False, "mobileNumber": "", "email": address}
        for user_id, address in users
    ]
    return {"organizationNumber": number, "partyId": party_id, "userContactPoints": contacts}


async def test_addresses_of_users_count_where_they_may_act(registers: AltinnRegisters, played: PlayedRegister) -> None:
    played.replies |= {
        UNITS: contact_points(
            unit(BRUKERE, 50005, (20001, "kari@sandbox.test"), (20002, "ola@sandbox.test")),
            unit(OVERLAPP, 50006, (20002, "ola.overlapp@sandbox.test"), (20001, "kari.overlapp@sandbox.test")),
        ),
        DECISION: permit([KARI, User(20002, 50006)]),
    }

    found = await registers.registered_by_users([BRUKERE, OVERLAPP], RESOURCE)

    assert found == {BRUKERE: ["kari@sandbox.test"], OVERLAPP: ["ola.overlapp@sandbox.test"]}


async def test_only_users_who_could_be_told_are_asked_about(registers: AltinnRegisters, played: PlayedRegister) -> None:
    played.replies |= {
        UNITS: contact_points(
            unit(
                BRUKERE, 50005, (1, "a@sandbox.test"), (2, ""), (3, None), (4, " "), (5, "b" * 321), (6, "c\0@d.test")
            ),
            unit(BRUKERE, 50005, (1, "A.again@sandbox.test")),
            unit(OVERLAPP, 50006, (7, "not.asked.for@sandbox.test")),
            unit(None, 50007, (8, "nobodys@sandbox.test")),
            {"organizationNumber": "310300004", "partyId": 50001},
        ),
        DECISION: lambda asked: permit(asked_about(asked.body))(asked),
    }

    found = await registers.registered_by_users([BRUKERE, "310300004"], RESOURCE)

    assert found == {BRUKERE: ["a@sandbox.test", "A.again@sandbox.test"], "310300004": []}
    assert [asked_about(body) for body in played.asked_at(DECISION)] == [[User(1, 50005)]]


async def test_a_lookup_with_a_resource_adds_the_permitted_users_to_official_addresses(
    registers: AltinnRegisters, played: PlayedRegister
) -> None:
    played.replies |= {
        PERSONS: contact_points({"nationalIdentityNumber": "01818011039", "email": "kari@sandbox.test"}),
        ORGANIZATIONS: contact_points({"organizationNumber": OVERLAPP, "emailList": ["post@sandbox.test"]}),
        UNITS: contact_points(
            unit(OVERLAPP, 50006, (1, "POST@sandbox.test"), (2, "ola@sandbox.test")),
            unit(BRUKERE, 50005, (1, "kari@sandbox.test"), (2, "ola@sandbox.test")),
        ),
        DECISION: permit([User(1, 50006), User(2, 50006), User(2, 50005)]),
    }

    contacts = await look_up(registers, [BRUKERE, "01818011039", OVERLAPP], RESOURCE)

    assert contacts == {
        "01818011039": Contact(("kari@sandbox.test",)),
        OVERLAPP: Contact(("post@sandbox.test", "ola@sandbox.test")),
        BRUKERE: Contact(("ola@sandbox.test",)),
    }
    assert played.asked_at(UNITS) == [{"organizationNumbers": [BRUKERE, OVERLAPP], "resourceId": "skjema"}]


@pytest.mark.parametrize("silent", [UNITS, DECISION])
async def test_nobody_is_told_officially_where_the_users_are_not_known(
    registers: AltinnRegisters, played: PlayedRegister, silent: str
) -> None:
    played.replies |= {
        ORGANIZATIONS: contact_points({"organizationNumber": BRUKERE, "emailList": ["post@sandbox.test"]}),
        UNITS: contact_points(unit(BRUKERE, 50005, (1, "kari@sandbox.test"))),
        DECISION: permit([]),
        silent: said({}, 503),
    }

    with pytest.raises(RegisterUnavailable, match=r"^it says 503$"):
        await look_up(registers, [BRUKERE], RESOURCE)


@pytest.mark.parametrize(
    ("identities", "resource", "decides"),
    [(["01818011039"], RESOURCE, True), ([BRUKERE], None, True), ([BRUKERE], RESOURCE, False)],
    ids=["a person", "no resource", "no policy decision point"],
)
async def test_users_are_asked_for_only_where_they_could_count(
    played: PlayedRegister, http: httpx2.AsyncClient, identities: list[str], resource: Resource | None, decides: bool
) -> None:
    played.replies |= {PERSONS: contact_points(), ORGANIZATIONS: contact_points()}

    await look_up(altinn_registers(played, http, decides=decides), identities, resource)

    assert not {UNITS, DECISION} & set(played.paths)
