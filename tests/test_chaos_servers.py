"""Those whom the kill test plays: our own clients understand them, and each of their moods is what it is said to be."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from itertools import islice

import httpx2
import pytest

from bench.chaos_conditions import ANSWERS, HOST, ChaosConditions, endpoint_of
from bench.chaos_fleet import free_ports
from bench.chaos_http import Asked, Mood, Reply, WebServer
from bench.chaos_orders import CLIENTS, Wishes
from bench.chaos_recipients import FATES, address_of_number, name_of_number, number_of, subject_for
from bench.chaos_records import AskedOrder
from bench.chaos_register import PROFILE_PATH, REGISTER_PATH, ChaosRegister
from varsel.contact_register.altinn import AltinnRegisters
from varsel.contact_register.calls import Calls
from varsel.contact_register.register import Contact
from varsel.errors import RegisterUnavailable
from varsel.orders.send_condition import Condition, ConditionRules, SendConditions
from varsel.outgoing.answer import NoAnswer
from varsel.outgoing.credentials import Credentials
from varsel.sandbox.fates import fate_of

KARI, OLA = number_of(7, 0, "delivered"), number_of(7, 1, "bounced+early")
KNOWN = {KARI: Contact((address_of_number(KARI),)), OLA: Contact((address_of_number(OLA),))}
WITHIN = timedelta(seconds=10)  # a bound for a machine under load, not a measure


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient() as client:
        yield client


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


def registers(client: httpx2.AsyncClient, port: int) -> AltinnRegisters:
    profile, register = (
        Calls(client, Credentials(), f"http://127.0.0.1:{port}{path}", within=WITHIN)
        for path in (PROFILE_PATH, REGISTER_PATH)
    )
    return AltinnRegisters(profile, register, None)


def conditions(client: httpx2.AsyncClient, port: int) -> SendConditions:
    rules = ConditionRules(WITHIN, {HOST: f"http://127.0.0.1:{port}"})
    return SendConditions(rules, Credentials(), guarded=client, trusted=client)


def wishes(seed: str, client: int = 1, *, count: int = 200) -> list[AskedOrder]:
    source = Wishes(client, seed)
    return [order for order, _ in islice(iter(source.next, None), count)]


@pytest.mark.parametrize("mood", [Mood.ANSWERED, Mood.SLOW])
async def test_our_client_finds_everybody_in_the_register(client: httpx2.AsyncClient, port: int, mood: Mood) -> None:
    async with ChaosRegister(port, "1", {mood: 1}):
        asked = registers(client, port)

        assert await asked.contacts([KARI, OLA]) == KNOWN
        assert await asked.names([KARI, OLA]) == {KARI: name_of_number(KARI), OLA: name_of_number(OLA)}


@pytest.mark.parametrize("mood", [mood for mood in Mood if mood not in ANSWERS])
async def test_a_register_in_another_mood_gives_no_answer(client: httpx2.AsyncClient, port: int, mood: Mood) -> None:
    async with ChaosRegister(port, "1", {mood: 1}) as register:
        with pytest.raises(RegisterUnavailable):
            await registers(client, port).contacts([KARI, OLA])

        assert register.met[mood] >= 1


async def test_a_register_that_behaves_answers_whatever_its_moods(client: httpx2.AsyncClient, port: int) -> None:
    async with ChaosRegister(port, "1", {Mood.CLOSED: 1}) as register:
        register.behaves = True

        assert await registers(client, port).contacts([KARI, OLA]) == KNOWN


async def test_a_web_server_refuses_while_it_is_closed_and_answers_once_it_is_open_again(
    client: httpx2.AsyncClient, port: int
) -> None:
    async def reply_to(asked: Asked) -> Reply:
        return Reply(200, asked.path.encode())

    async with WebServer(port, reply_to) as server:
        assert (await client.get(f"http://127.0.0.1:{port}/a")).text == "/a"
        await server.close()
        with pytest.raises(httpx2.TransportError):
            await client.get(f"http://127.0.0.1:{port}/b")
        await server.open()
        assert (await client.get(f"http://127.0.0.1:{port}/c")).text == "/c"


@pytest.mark.parametrize("condition", list(Condition))
async def test_a_condition_endpoint_says_what_its_path_asks_for(
    client: httpx2.AsyncClient, port: int, condition: Condition
) -> None:
    async with ChaosConditions(port, "1", {Mood.ANSWERED: 1}) as endpoint:
        assert await conditions(client, port).ask(endpoint_of(condition, "c1-1")) is condition
        assert endpoint.unanswered == {}


@pytest.mark.parametrize("mood", [mood for mood in Mood if mood not in ANSWERS])
async def test_each_time_that_an_endpoint_gives_no_answer_is_in_its_books(
    client: httpx2.AsyncClient, port: int, mood: Mood
) -> None:
    async with ChaosConditions(port, "1", {mood: 1}) as endpoint:
        for _ in range(2):
            with pytest.raises(NoAnswer):
                await conditions(client, port).ask(endpoint_of(Condition.MET, "c1-1"))

        assert endpoint.unanswered == {"c1-1": 2}


@pytest.mark.parametrize("fate", FATES)
def test_the_address_of_a_number_meets_the_fate_that_the_number_was_made_for(fate: str) -> None:
    number = number_of(12345, 499, fate)

    assert (len(number), number.isdigit()) == (11, True)
    assert address_of_number(number).startswith(f"{fate}+{number}@")
    assert fate_of(address_of_number(number)).name == fate.partition("+")[0]


def test_a_subject_with_the_keyword_has_the_name_of_the_number() -> None:
    assert subject_for(address_of_number(OLA), "Vedtak til $recipientName$") == f"Vedtak til {name_of_number(OLA)}"
    assert subject_for("silent+c1-1-0@sandbox.test", "Vedtak") == "Vedtak"


def test_the_seed_alone_decides_what_is_ordered() -> None:
    assert wishes("61/1") == wishes("61/1") != wishes("62/1")


def test_no_two_recipients_of_all_clients_have_one_address() -> None:
    orders = [order for client in range(1, CLIENTS + 1) for order in wishes("61", client)]

    addresses = [address for order in orders for address in order.recipients]

    assert len(set(addresses)) == len(addresses)


def test_orders_by_identity_and_on_a_condition_are_a_share_of_all() -> None:
    orders = wishes("61", count=2_000)

    shares: Mapping[str, int] = {
        "by identity": sum(order.by_identity for order in orders),
        "met": sum(order.condition is Condition.MET for order in orders),
        "not met": sum(order.condition is Condition.NOT_MET for order in orders),
    }

    assert 200 < shares["by identity"] < 400
    assert 80 < shares["met"] < 200
    assert 20 < shares["not met"] < 100
