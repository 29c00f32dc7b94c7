"""Recipients in domains that the internet does not know, for owners that have such inside."""

import httpx2
import pytest

from tests.api.bodies import ORDERS, email_body, reasons_in
from varsel.email_address import is_deliverable
from varsel.settings import Settings

INTERNAL = frozenset({"local", "corp.lan", "mailhost"})


@pytest.mark.parametrize(
    "address",
    ["kari@etat.local", "kari@LOCAL", "kari@a.b.corp.lan", "kari@corp.lan", "kari@mailhost", "ærlig@etat.local"],
)
def test_an_address_in_an_internal_domain_is_taken_only_where_it_is_set(address: str) -> None:
    assert is_deliverable(address, INTERNAL)
    assert not is_deliverable(f"{address}.localhost", INTERNAL)


@pytest.mark.parametrize(
    "address",
    [
        "kari@notlocal",
        "kari@local.invalid",
        "kari@xcorp.invalid",
        ".kari@etat.local",
        "ka ri@etat.local",
        "kari@-etat.local",
        "kari@etat..local",
        f"{'k' * 65}@etat.local",
        "@local",
        "local",
    ],
)
def test_the_rest_of_the_grammar_holds_inside_too(address: str) -> None:
    assert not is_deliverable(address, INTERNAL)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"internal_domains": INTERNAL})


async def test_an_order_may_go_inside_where_the_setting_says_so(client: httpx2.AsyncClient) -> None:
    inside = await client.post(f"{ORDERS}/email", json=email_body(recipients=[{"emailAddress": "kari@etat.local"}]))
    outside = await client.post(f"{ORDERS}/email", json=email_body(recipients=[{"emailAddress": "kari@x.localhost"}]))

    assert inside.status_code == 202
    assert list(reasons_in(outside)) == ["Recipients[0].EmailAddress"]
