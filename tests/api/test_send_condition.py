"""The condition endpoint to try orders with."""

import httpx2
import pytest

from tests.api.bodies import reasons_in

PATH = "/notifications/api/v1/tests/sendcondition"


@pytest.mark.parametrize(
    ("query", "is_sent"),
    [
        ("conditionMet=true", True),
        ("conditionMet=false", False),
        ("", False),
        ("other=true", False),
        ("conditionMet=True", True),
        ("conditionMet=TRUE", True),
        ("conditionMet=FALSE", False),
        ("conditionMet=+true%20", True),
        ("conditionmet=true", True),
        ("CONDITIONMET=true", True),
        ("conditionMet=true&conditionMet=false", True),
        ("conditionMet=false&conditionmet=true", False),
    ],
)
async def test_the_answer_is_what_was_asked_for(anonymous: httpx2.AsyncClient, query: str, is_sent: bool) -> None:
    answer = await anonymous.get(f"{PATH}?{query}")

    assert (answer.status_code, answer.json()) == (200, {"sendNotification": is_sent})


@pytest.mark.parametrize("text", ["x", "1", "0", "yes", "truefalse", "t rue", "null", "sann\0"])
async def test_what_is_no_boolean_is_refused_in_the_originals_words(anonymous: httpx2.AsyncClient, text: str) -> None:
    answer = await anonymous.get(PATH, params={"conditionMet": text})

    assert reasons_in(answer) == {"conditionMet": [f"The value '{text}' is not valid."]}


@pytest.mark.parametrize("text", ["", " "])
async def test_a_blank_is_refused_in_the_originals_other_words(anonymous: httpx2.AsyncClient, text: str) -> None:
    answer = await anonymous.get(PATH, params={"conditionMet": text})

    assert reasons_in(answer) == {"conditionMet": [f"The value '{text}' is invalid."]}


async def test_a_credential_changes_nothing(anonymous: httpx2.AsyncClient) -> None:
    headers = {"Authorization": "Bearer x", "PlatformAccessToken": "x"}

    answer = await anonymous.get(PATH, params={"conditionMet": "true"}, headers=headers)

    assert answer.json() == {"sendNotification": True}


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD"])
async def test_conditions_are_only_read(anonymous: httpx2.AsyncClient, method: str) -> None:
    assert (await anonymous.request(method, PATH)).status_code == 405
