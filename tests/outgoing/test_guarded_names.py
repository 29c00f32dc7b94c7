"""Names that lead inside, to nobody, or elsewhere the next time: what the guard makes of them."""

from collections.abc import Mapping

import msgspec
import pytest

from tests.namespace import needs_namespace, run_in_namespace
from tests.outgoing.guarded_names import (
    A_LOOK_UP,
    BESIDE_SILENT,
    CONTROL,
    GIVE_NO_ADDRESS,
    LEAD_INSIDE,
    METADATA,
    PUBLIC,
    REBINDING,
    REDIRECTED,
    SILENT,
    TO_OTHER,
    TOO_MANY_CLOSED,
    Outcome,
)

pytestmark = needs_namespace
REFUSED = "ConnectError from ConnectionRefusedError"
LIMIT = 20.0  # seconds; it takes one, and half a minute where the end waits for a name server that says nothing


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outcome]:
    """What came of each endpoint, played once."""
    folder = tmp_path_factory.mktemp("guarded-names")
    run_in_namespace("tests.outgoing.guarded_names", folder, limit=LIMIT)
    return msgspec.json.decode((folder / "outcomes.json").read_bytes(), type=dict[str, Outcome])


@pytest.mark.parametrize("endpoint", LEAD_INSIDE)
def test_no_name_that_leads_inside_lets_anybody_be_asked(outcomes: Mapping[str, Outcome], endpoint: str) -> None:
    outcome = outcomes[endpoint]

    assert outcome.said in ("the address is not on the public internet", "gaierror")
    assert (outcome.inside, outcome.outside) == (0, [])


@pytest.mark.parametrize("endpoint", CONTROL)
def test_it_is_the_guard_that_keeps_us_from_it(outcomes: Mapping[str, Outcome], endpoint: str) -> None:
    assert outcomes[endpoint].said == "the address is not on the public internet"
    assert outcomes[f"unguarded {endpoint}"].said == "met"
    assert outcomes[f"unguarded {endpoint}"].inside == 1


def test_metadata_is_asked_of_nobody_even_where_private_networks_are_allowed(outcomes: Mapping[str, Outcome]) -> None:
    outcome = outcomes[f"unguarded {METADATA}"]

    assert (outcome.said, outcome.inside) == ("the address is not on the public internet", 0)


@pytest.mark.parametrize("endpoint", GIVE_NO_ADDRESS)
def test_a_name_without_an_address_gives_no_answer(outcomes: Mapping[str, Outcome], endpoint: str) -> None:
    assert outcomes[endpoint].said in ("gaierror", "UnicodeError")


def test_a_name_whose_name_server_says_nothing_gives_no_answer_in_time(outcomes: Mapping[str, Outcome]) -> None:
    assert outcomes[SILENT].said == "none within 0.1 s"


def test_an_owner_whose_name_server_says_nothing_does_not_hold_up_another(outcomes: Mapping[str, Outcome]) -> None:
    assert outcomes[BESIDE_SILENT].said == "met"


@pytest.mark.parametrize("endpoint", REDIRECTED)
def test_a_server_on_the_internet_cannot_send_us_inside(outcomes: Mapping[str, Outcome], endpoint: str) -> None:
    outcome = outcomes[endpoint]

    assert outcome.said in ("the address is not on the public internet", "a redirect from https to something else")
    assert (outcome.inside, len(outcome.outside)) == (0, 1)


@pytest.mark.parametrize("where", ["public.test/path?a=b%20c", "93.184.216.40/"])
def test_a_server_on_the_internet_is_asked_by_the_name_that_was_given(
    outcomes: Mapping[str, Outcome], where: str
) -> None:
    outcome = outcomes[f"http://{where}"]

    assert (outcome.said, outcome.outside) == ("met", [f"http://{where}"])


def test_over_tls_it_is_known_by_its_name_and_told_the_token(outcomes: Mapping[str, Outcome]) -> None:
    outcome = outcomes["https://public.test/path?a=b%20c"]

    assert outcome.said == "met"
    assert outcome.outside == ["https://public.test/path?a=b%20c as public.test with a token"]


def test_a_name_is_known_in_capitals_and_with_the_usual_port(outcomes: Mapping[str, Outcome]) -> None:
    assert outcomes["https://PUBLIC.test:443/"].outside == ["https://public.test/ as public.test with a token"]


def test_a_server_that_cannot_prove_its_number_is_not_asked(outcomes: Mapping[str, Outcome]) -> None:
    assert outcomes[f"https://{PUBLIC}/"].outside == []


def test_a_token_does_not_follow_a_redirect_to_another_server(outcomes: Mapping[str, Outcome]) -> None:
    outcome = outcomes[TO_OTHER]

    assert outcome.said == "met"
    assert outcome.outside == [
        "https://public.test/to-other as public.test with a token",
        "https://other.test/ as other.test",
    ]


def test_a_name_that_leads_inside_the_second_time_it_is_looked_up_is_looked_up_once(
    outcomes: Mapping[str, Outcome],
) -> None:
    outcome = outcomes[f"http://{REBINDING}/"]

    assert (outcome.said, outcome.inside, outcome.questions) == ("met", 0, A_LOOK_UP)


@pytest.mark.parametrize("endpoint", ["http://partly-closed.test/", "http://partly-silent.test/"])
def test_where_one_address_of_a_name_does_not_answer_the_next_is_asked(
    outcomes: Mapping[str, Outcome], endpoint: str
) -> None:
    assert outcomes[endpoint].said == "met"


def test_no_more_than_a_few_addresses_of_a_name_are_tried(outcomes: Mapping[str, Outcome]) -> None:
    assert (outcomes[TOO_MANY_CLOSED].said, outcomes[TOO_MANY_CLOSED].outside) == (REFUSED, [])


def test_where_no_address_of_a_name_answers_there_is_no_answer(outcomes: Mapping[str, Outcome]) -> None:
    assert outcomes["https://closed.test/"].said == REFUSED
