"""Which endpoint a request comes to, and which answer an error."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Message, Scope

from tests.api.bodies import ORDERS, UNKNOWN
from tests.api.served import served
from varsel.api.routing import Application, Endpoint, ErrorAnswer, Resource, resource

LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure


def says(word: str) -> Endpoint:
    """Tells that it was reached, and with which parameters."""

    async def endpoint(request: Request) -> Response:
        given = "".join(f" {name}={value}" for name, value in request.path_params.items())
        return PlainTextResponse(f"{word}{given}")

    return endpoint


def fails_with(error: Exception) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        raise error

    return endpoint


def answered(status: int) -> ErrorAnswer:
    return lambda request, error: Response(type(error).__name__, status)


async def ask(
    method: str, path: str, *resources: Resource, answers: dict[type[Exception], ErrorAnswer] | None = None
) -> httpx2.Response:
    transport = httpx2.ASGITransport(Application("the context", resources, answers or {}), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://varsel.test") as client:
        return await client.request(method, path)


@pytest.mark.parametrize(
    ("path", "reached"),
    [
        ("/orders/email", "the kind"),
        ("/orders/7", "the order id=7"),
        ("/orders/email/", "the kind"),
        ("/orders", "all"),
    ],
)
async def test_of_several_that_match_the_first_wins(path: str, reached: str) -> None:
    answer = await ask(
        "GET",
        path,
        resource("/orders/email", GET=says("the kind")),
        resource("/orders/{id}", GET=says("the order")),
        resource("/orders/{name}", GET=says("nobody")),
        resource("/orders", GET=says("all")),
    )

    assert (answer.status_code, answer.text) == (200, reached)


async def test_a_later_resource_that_has_the_method_wins_over_an_earlier_one_that_has_not() -> None:
    answer = await ask(
        "GET", "/orders/email", resource("/orders/email", POST=says("post")), resource("/orders/{id}", GET=says("get"))
    )

    assert answer.text == "get id=email"


async def test_where_no_resource_has_the_method_the_first_that_matches_says_which_there_are() -> None:
    answer = await ask(
        "DELETE",
        "/orders/email",
        resource("/else", DELETE=says("else")),
        resource("/orders/email", POST=says("post"), PUT=says("put")),
        resource("/orders/{id}", GET=says("get")),
    )

    assert (answer.status_code, answer.content) == (405, b"")
    assert answer.headers["Allow"] == "POST, PUT"


@pytest.mark.parametrize("method", ["HEAD", "get", "OPTIONS", "BREW"])
async def test_no_method_stands_for_another(method: str) -> None:
    # Played by hand, because clients write methods in upper case.
    scope: Scope = {"type": "http", "method": method, "path": "/", "headers": [], "query_string": b""}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await Application(None, [resource("/", GET=says("get"))], {})(scope, asyncio.Queue[Message]().get, send)

    assert sent[0]["status"] == 405


@pytest.mark.parametrize("path", ["/Health", "/HEALTH/", "/health", "/health/"])
async def test_neither_case_nor_a_slash_at_the_end_matters(path: str) -> None:
    assert (await ask("GET", path, resource("/health", GET=says("well")))).text == "well"


async def test_a_parameter_keeps_its_case() -> None:
    assert (await ask("GET", "/ORDERS/AbC/", resource("/orders/{id}", GET=says("order")))).text == "order id=AbC"


@pytest.mark.parametrize(
    "path", ["/healthy", "/health//", "//health", "/healt", "/x/health", "/health/x", "/", "/health%0A", "/health%3F"]
)
async def test_a_path_that_is_longer_or_shorter_is_another(path: str) -> None:
    assert (await ask("GET", path, resource("/health", GET=says("well")))).status_code == 404


@pytest.mark.parametrize("path", ["/orders//status", "/orders/a/b/status", "/orders/status", "/orders//"])
async def test_a_parameter_is_one_segment_and_not_empty(path: str) -> None:
    assert (await ask("GET", path, resource("/orders/{id}/status", GET=says("status")))).status_code == 404


async def test_several_parameters_have_their_own_names() -> None:
    answer = await ask("GET", "/a/1/b/2", resource("/a/{first}/b/{second}", GET=says("both")))

    assert answer.text == "both first=1 second=2"


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/openapi.json", "/openapi.json", 200),
        ("/openapi.json", "/openapi-json", 404),
        ("/openapi.json", "/openapixjson", 404),
        ("/a+b", "/a+b", 200),
        ("/a+b", "/aab", 404),
        ("/a*", "/a*", 200),
        ("/a*", "/aaa", 404),
        ("/(a|b)", "/(a|b)", 200),
        ("/(a|b)", "/a", 404),
        ("/[a-z]", "/[a-z]", 200),
        ("/[a-z]", "/b", 404),
        ("/a$", "/a$", 200),
        ("/a-b", "/a-b", 200),
        ("/{file}.json", "/x.json", 200),
        ("/{file}.json", "/x-json", 404),
    ],
)
async def test_what_is_special_in_a_pattern_stands_for_itself_in_a_path(path: str, asked: str, status: int) -> None:
    assert (await ask("GET", asked, resource(path, GET=says("here")))).status_code == status


@pytest.mark.parametrize(
    ("path", "status"), [("/openapi.json", 200), ("/OpenAPI.JSON", 200), ("/openapi-json", 404), ("/openapiXjson", 404)]
)
async def test_a_dot_in_the_path_of_our_document_is_a_dot(
    anonymous: httpx2.AsyncClient, path: str, status: int
) -> None:
    assert (await anonymous.get(path)).status_code == status


@pytest.mark.parametrize("path", [f"{ORDERS}/email", f"{ORDERS}/EMAIL/", f"{ORDERS}/sms"])
async def test_a_get_of_a_kind_of_order_is_one_of_an_order_whose_id_is_none(
    client: httpx2.AsyncClient, path: str
) -> None:
    answer = await client.get(path)

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["id"]


@pytest.mark.parametrize("path", [f"{ORDERS.upper()}/{UNKNOWN}", f"{ORDERS.title()}/{UNKNOWN}/Status/"])
async def test_the_contracts_paths_are_taken_in_any_case(client: httpx2.AsyncClient, path: str) -> None:
    # The 404 of an unknown path and that of an unknown order are alike, so another method tells the two apart.
    assert (await client.get(path)).status_code == 404
    assert (await client.delete(path)).status_code == 405


async def test_an_endpoint_finds_the_context_and_its_route() -> None:
    async def endpoint(request: Request) -> Response:
        return PlainTextResponse(f"{request.scope['context']} at {request.scope['route']}")

    assert (await ask("GET", "/A/7", resource("/a/{id}", GET=endpoint))).text == "the context at /a/{id}"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConnectionResetError(), 503),
        (OSError(), 503),
        (FileNotFoundError(), 404),
        (ValueError(), 500),
        (KeyError(), 500),
    ],
)
async def test_the_answer_to_an_error_is_that_of_its_nearest_kind(error: Exception, status: int) -> None:
    answers = {Exception: answered(500), OSError: answered(503), FileNotFoundError: answered(404)}

    answer = await ask("GET", "/", resource("/", GET=fails_with(error)), answers=answers)

    assert (answer.status_code, answer.text) == (status, type(error).__name__)


async def breaks_off(request: Request) -> Response:
    """Begins an answer and cannot end it."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"the beginning"
        raise ValueError("there is no more")

    return StreamingResponse(pieces(), headers={"Content-Length": "1000"} if "length" in request.url.query else None)


@pytest.mark.parametrize("path", ["/?length", "/?chunked"])
async def test_an_error_after_the_answer_has_begun_ends_the_connection_and_is_not_answered_again(path: str) -> None:
    errors: list[Exception] = []

    def answer(request: Request, error: Exception) -> Response:
        errors.append(error)
        return Response("a second answer", 500)

    application = Application(None, [resource("/", GET=breaks_off)], {Exception: answer})
    async with served(application) as port, asyncio.timeout(LIMIT):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

        received = await reader.read()  # which ends only when the connection does

        writer.close()
    assert received.count(b"HTTP/1.1") == 1
    assert received.startswith(b"HTTP/1.1 200")
    assert b"the beginning" in received
    assert b"a second answer" not in received
    assert not received.endswith(b"0\r\n\r\n")  # so that the client knows that something is missing
    assert errors == []
