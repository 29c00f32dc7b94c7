"""The members whose values are looked at closely: recipients, addresses, the sender, the condition's URL."""

from typing import Any

import httpx2
import pytest

from tests.api.bodies import KARI, ORDERS, email_body, order_body, place, reasons_in

EMAIL = f"{ORDERS}/email"
UNREACHABLE = (
    "Either a valid email address, organization number, or national identity number must be provided for each"
    " recipient."
)
PERSON_AND_MORE = (
    "National identity number cannot be combined with email address, mobile number, or organization number."
)
ORGANIZATION_AND_MORE = (
    "Organization number cannot be combined with email address, mobile number, or national identity number."
)
NO_ADDRESS = "Invalid email address format."
ELEVEN_DIGITS = "National identity number must be 11 digits long."
NINE_DIGITS = "Organization number must be 9 digits long."
PERSON, ORGANIZATION = {"nationalIdentityNumber": "01018045678"}, {"organizationNumber": "991825827"}
MOBILE = {"mobileNumber": "+4790000000"}


@pytest.mark.parametrize(
    ("recipient", "reasons"),
    [
        ({}, {"Recipients[1]": [UNREACHABLE]}),
        (MOBILE, {"Recipients[1]": [UNREACHABLE]}),
        ({"emailAddress": ""}, {"Recipients[1]": [UNREACHABLE]}),
        ({"organizationNumber": "", "nationalIdentityNumber": ""}, {"Recipients[1]": [UNREACHABLE]}),
        ({"emailAddress": "kari"}, {"Recipients[1].EmailAddress": [NO_ADDRESS]}),
        ({"emailAddress": " "}, {"Recipients[1].EmailAddress": [NO_ADDRESS]}),
        (PERSON | KARI, {"Recipients[1]": [PERSON_AND_MORE]}),
        (PERSON | MOBILE, {"Recipients[1]": [PERSON_AND_MORE]}),
        (PERSON | ORGANIZATION, {"Recipients[1]": [PERSON_AND_MORE, ORGANIZATION_AND_MORE]}),
        (ORGANIZATION | KARI, {"Recipients[1]": [ORGANIZATION_AND_MORE]}),
        (ORGANIZATION | MOBILE, {"Recipients[1]": [ORGANIZATION_AND_MORE]}),
        ({"nationalIdentityNumber": "0101804567"}, {"Recipients[1].NationalIdentityNumber": [ELEVEN_DIGITS]}),
        ({"nationalIdentityNumber": "010180456789"}, {"Recipients[1].NationalIdentityNumber": [ELEVEN_DIGITS]}),
        ({"nationalIdentityNumber": "0101804567x"}, {"Recipients[1].NationalIdentityNumber": [ELEVEN_DIGITS]}),
        ({"nationalIdentityNumber": "01018045678\n"}, {"Recipients[1].NationalIdentityNumber": [ELEVEN_DIGITS]}),
        ({"organizationNumber": "99182582"}, {"Recipients[1].OrganizationNumber": [NINE_DIGITS]}),
        ({"organizationNumber": "9918258270"}, {"Recipients[1].OrganizationNumber": [NINE_DIGITS]}),
        ({"organizationNumber": "99182582x"}, {"Recipients[1].OrganizationNumber": [NINE_DIGITS]}),
        (
            {"emailAddress": "kari", "nationalIdentityNumber": "1", "organizationNumber": "2"},
            {
                "Recipients[1]": [PERSON_AND_MORE, ORGANIZATION_AND_MORE],
                "Recipients[1].EmailAddress": [NO_ADDRESS],
                "Recipients[1].NationalIdentityNumber": [ELEVEN_DIGITS],
                "Recipients[1].OrganizationNumber": [NINE_DIGITS],
            },
        ),
    ],
)
@pytest.mark.parametrize(("path", "body"), [(EMAIL, email_body()), (ORDERS, order_body())], ids=["email", "any"])
async def test_a_recipient_that_cannot_be_reached_is_refused_by_its_number(
    client: httpx2.AsyncClient,
    path: str,
    body: dict[str, Any],
    recipient: dict[str, str],
    reasons: dict[str, list[str]],
) -> None:
    answer = await client.post(path, json=body | {"recipients": [KARI, recipient]})

    assert reasons_in(answer) == reasons


@pytest.mark.parametrize("recipient", [PERSON, ORGANIZATION, KARI | MOBILE, PERSON | {"emailAddress": ""}])
async def test_a_recipient_is_an_address_or_one_identity(client: httpx2.AsyncClient, recipient: dict[str, str]) -> None:
    assert await place(client, recipients=[recipient])


async def test_the_recipients_that_are_wrong_are_all_named(client: httpx2.AsyncClient) -> None:
    recipients = [{"emailAddress": "kari"}, KARI, {}, PERSON, {"organizationNumber": "1"}]

    answer = await client.post(EMAIL, json=email_body(recipients=recipients))

    assert reasons_in(answer) == {
        "Recipients[0].EmailAddress": [NO_ADDRESS],
        "Recipients[2]": [UNREACHABLE],
        "Recipients[4].OrganizationNumber": [NINE_DIGITS],
    }


async def test_an_answer_names_two_hundred_errors_at_most(client: httpx2.AsyncClient) -> None:
    answer = await client.post(EMAIL, json=email_body(recipients=[{}] * 1_000))

    assert list(reasons_in(answer)) == [f"Recipients[{number}]" for number in range(200)]


@pytest.mark.parametrize(
    "address",
    [
        "æge_sjøåsen@domain.com",
        "stephanie@kul.no",
        "bakken_kundeservice@sykkelverksted.com",
        "john.doe@sub.domain.example",
        "gratis-netflix+1@gmail.com",
    ],
)
async def test_an_address_that_the_contract_names_valid_is_taken(client: httpx2.AsyncClient, address: str) -> None:
    assert await place(client, recipients=[{"emailAddress": address}])


@pytest.mark.parametrize(
    "address",
    [
        ".user@example.com",
        "user.@example.com",
        "userexample.com",
        "user@",
        "@example.com",
        "user@example..com",
        "user@exa!mple.com",
        "one@example.com;two@example.com",
        "one@example.com,two@example.com",
        "kari@example.com\r\nBcc: ola@example.com",
        "Kari <kari@example.com>",
    ],
)
async def test_an_address_that_the_contract_names_invalid_is_refused(client: httpx2.AsyncClient, address: str) -> None:
    answer = await client.post(EMAIL, json=email_body(recipients=[{"emailAddress": address}]))

    assert reasons_in(answer) == {"Recipients[0].EmailAddress": [NO_ADDRESS]}


@pytest.mark.parametrize("sender", ["post@ttd.example", "Testdepartementet <post@ttd.example>", "Å. Ås <a@b.example>"])
async def test_an_order_may_name_its_sender(client: httpx2.AsyncClient, sender: str) -> None:
    body = order_body()
    body["emailTemplate"]["fromAddress"] = sender

    answer = await client.post(ORDERS, json=body)

    order = (await client.get(answer.headers["Location"])).json()
    assert order["emailTemplate"]["fromAddress"] == sender


@pytest.mark.parametrize(
    "sender",
    [
        "post",
        " ",
        "post@ttd.example\r\nBcc: a@b.example",
        "A\r\nB <a@b.example>",
        "A\u2028B <a@b.example>",
        "A <B <a@b.example>",
        "A <a@b.example> B",
        "A <a@b.example>\n",
        "<>",
    ],
)
async def test_a_sender_that_could_not_be_written_as_from_is_refused(client: httpx2.AsyncClient, sender: str) -> None:
    body = order_body()
    body["emailTemplate"]["fromAddress"] = sender

    answer = await client.post(ORDERS, json=body)

    assert reasons_in(answer) == {"EmailTemplate.FromAddress": [NO_ADDRESS]}


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.no",
        "HTTPS://Example.NO",
        "https://a.b.c-d.example.no:8443/sti/to?a=b&c=d#e",
        "https://example.no/sti med mellomrom",
        "https://example.no:443",
    ],
)
async def test_a_condition_may_be_asked_at_any_public_host(client: httpx2.AsyncClient, url: str) -> None:
    order_id = await place(client, conditionEndpoint=url)

    assert (await client.get(f"{ORDERS}/{order_id}")).json()["conditionEndpoint"] == url


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "http://invalid-url",
        "https://foobar",
        "http://localhost",
        "http://127.0.0.1",
        "http://example",
        "http://[::1]",
        "http://[::1",
        "http://169.254.169.254/latest",
        "https://a_b.example.no",
        "https://blåbær.no",
        "https://example.n",
        "https://example.no.",
        "https://example.no:port",
        "https://example.no:99999",
        "https://exam\nple.no",
        "https://example.no/\r\nHost: a",
        "https:example.no",
        "https:///sti",
        "//example.no",
        "example.no",
        "/sti",
        "urn:altinn:resource:skjema",
        "javascript:alert(1)",
        "",
        " ",
    ],
)
async def test_a_condition_is_not_asked_anywhere_else(client: httpx2.AsyncClient, url: str) -> None:
    answer = await client.post(EMAIL, json=email_body(conditionEndpoint=url))

    assert reasons_in(answer) == {"ConditionEndpoint": ["The condition endpoint must be a valid URL."]}


@pytest.mark.parametrize(
    "changes",
    [
        {"resourceId": "skjema", "resourceAction": "read"},
        {"resourceId": "urn:altinn:resource:skjema", "resourceAction": ""},
        {"resourceId": " "},
        {"resourceAction": ""},
    ],
)
async def test_a_resource_without_action_is_fine(client: httpx2.AsyncClient, changes: dict[str, str]) -> None:
    order_id = await place(client, **changes)

    order = (await client.get(f"{ORDERS}/{order_id}")).json()
    assert {name: order[name] for name in changes} == changes
