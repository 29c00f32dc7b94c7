"""What every register of development mode has in common: who may ask, and which bodies are read."""

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.bodies import reasons_in
from tests.api.registers import (
    DECISION,
    NAMES,
    ORGANIZATIONS,
    PERSONS,
    UNITS,
    ask,
    bearer,
    contact_points,
    decision_body,
    platform_token,
)
from varsel.api.read_lookup import BODY_LIMIT

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"
EXAMPLE = re.compile(
    r"""curl -s "\$B(/[^"]+)" -H "(\w+): [^"]+"[^']+'Content-Type: application/json'[^']+-d '([^']+)'"""
)

KARI, ENKEL, OVERLAPP = "01818011039", "310300004", "310800007"

BODIES: dict[str, dict[str, Any]] = {
    PERSONS: {"nationalIdentityNumbers": [KARI], "useStaleContactInfo": False},
    ORGANIZATIONS: {"organizationNumbers": [ENKEL]},
    UNITS: {"organizationNumbers": [OVERLAPP], "resourceId": "skattemelding"},
    NAMES: {"parties": [{"ssn": KARI}]},
    DECISION: decision_body([("20001", "50005")]),
}
every_lookup = pytest.mark.parametrize("path", BODIES)


@every_lookup
async def test_a_platform_token_opens_every_register(developer: httpx2.AsyncClient, path: str) -> None:
    assert (await ask(developer, path, BODIES[path])).status_code == 200


@every_lookup
async def test_a_bearer_token_opens_every_register_but_that_of_names(developer: httpx2.AsyncClient, path: str) -> None:
    answer = await developer.post(path, json=BODIES[path], headers=await bearer(developer))

    assert answer.status_code == (401 if path == NAMES else 200)


@every_lookup
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"PlatformAccessToken": "x"},
        {"PlatformAccessToken": "e30.e30.e30"},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic eDp5"},
    ],
    ids=str,
)
async def test_without_a_credential_nothing_is_told(
    developer: httpx2.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    answer = await developer.post(path, content=b"{", headers=headers)

    assert (answer.status_code, answer.content) == (401, b"")


@every_lookup
async def test_a_platform_token_that_does_not_hold_is_not_ignored(developer: httpx2.AsyncClient, path: str) -> None:
    headers = {**await bearer(developer), "PlatformAccessToken": "x"}

    answer = await developer.post(path, json=BODIES[path], headers=headers)

    assert answer.status_code == 401


@every_lookup
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"{}", b"\xff", b"[" * 5_000])
async def test_a_body_that_cannot_be_read_is_refused_with_the_reason(
    developer: httpx2.AsyncClient, path: str, body: bytes
) -> None:
    headers = {**await platform_token(developer), "Content-Type": "application/json"}

    answer = await developer.post(path, content=body, headers=headers)

    assert reasons_in(answer)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PERSONS, {"nationalIdentityNumbers": None}),
        (PERSONS, {"nationalIdentityNumbers": KARI}),
        (PERSONS, {"nationalIdentityNumbers": [1818011039]}),
        (PERSONS, {"nationalIdentityNumbers": [None]}),
        (PERSONS, {"nationalIdentityNumbers": [KARI], "useStaleContactInfo": "no"}),
        (ORGANIZATIONS, {"organizationNumbers": {}}),
        (ORGANIZATIONS, {"nationalIdentityNumbers": [KARI]}),
        (UNITS, {"organizationNumbers": [ENKEL]}),
        (UNITS, {"organizationNumbers": [ENKEL], "resourceId": None}),
        (NAMES, {"parties": [ENKEL]}),
        (NAMES, {"parties": [{"orgNo": 310300004}]}),
        (PERSONS, {"nationalIdentityNumbers": [KARI] * 1_001}),
        (ORGANIZATIONS, {"organizationNumbers": [ENKEL] * 1_001}),
        (UNITS, {"organizationNumbers": [ENKEL] * 1_001, "resourceId": "x"}),
        (NAMES, {"parties": [{"ssn": KARI}] * 1_001}),
    ],
    ids=lambda value: str(value)[:80],
)
async def test_a_lookup_of_another_form_or_of_too_many_is_refused(
    developer: httpx2.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    assert reasons_in(await ask(developer, path, body))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PERSONS, {"nationalIdentityNumbers": [KARI] * 1_000}),
        (PERSONS, {"NationalIdentityNumbers": [KARI], "UseStaleContactInfo": None, "more": [{}]}),
        (ORGANIZATIONS, {"ORGANIZATIONNUMBERS": [ENKEL], "more": 1}),
        (UNITS, {"organizationnumbers": [OVERLAPP], "ResourceId": ""}),
    ],
    ids=lambda value: str(value)[:80],
)
async def test_lookups_are_read_as_leniently_as_orders(
    developer: httpx2.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    assert len(await contact_points(developer, path, body)) == 1


@every_lookup
async def test_a_body_is_read_no_further_than_its_limit(developer: httpx2.AsyncClient, path: str) -> None:
    answer = await ask(developer, path, {"x": "x" * BODY_LIMIT})

    assert (answer.status_code, answer.content) == (413, b"")


@every_lookup
async def test_a_lookup_comes_as_json_and_by_post_only(developer: httpx2.AsyncClient, path: str) -> None:
    headers = await platform_token(developer)

    text = await developer.post(path, content=b"{}", headers={**headers, "Content-Type": "text/plain"})
    got = await developer.get(path, headers=headers)

    assert (text.status_code, got.status_code) == (415, 405)


async def test_the_examples_of_the_page_are_answered(developer: httpx2.AsyncClient) -> None:
    credentials = await platform_token(developer) | await bearer(developer)
    [section] = re.findall(r"^## Contact registers$(.*?)^## ", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    examples = EXAMPLE.findall(section)

    for path, credential, body in examples:
        headers = {credential: credentials[credential], "Content-Type": "application/json"}
        answer = await developer.post(path, content=body.encode(), headers=headers)
        [found] = answer.json().values()
        assert (answer.status_code, bool(found)) == (200, True)
    assert [path for path, _, _ in examples] == [PERSONS, UNITS, NAMES, DECISION]


@pytest.mark.parametrize("path", [*BODIES, "/sandbox/contacts"])
async def test_outside_development_mode_there_are_no_registers(client: httpx2.AsyncClient, path: str) -> None:
    answers = [await client.request(method, path, json={}) for method in ("GET", "POST")]

    assert [answer.status_code for answer in answers] == [404, 404]
