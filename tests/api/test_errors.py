"""What is answered to what cannot be served, and while the database is away."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.api.bodies import ORDERS, UNKNOWN, email_body, order_body
from tests.log_privacy import MARKER
from varsel.database.connect import Pool
from varsel.settings import Settings

MAX_BODY = 2_000


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_body": MAX_BODY})


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/orders",
        "/notifications/api/v1",
        "/notifications/api/v2/orders",
        f"{ORDERS}/{UNKNOWN}/notifications",
        f"{ORDERS}/{UNKNOWN}/notifications/brev",
        f"{ORDERS.removesuffix('s')}/{UNKNOWN}",
        f"{ORDERS}//",
        "/api/GetEnterpriseToken",
        "/sandbox/messages",
    ],
)
async def test_an_unknown_path_is_an_empty_404(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", ORDERS, {"GET", "POST"}),
        ("PUT", f"{ORDERS}/email", {"POST"}),
        ("HEAD", f"{ORDERS}/{UNKNOWN}", {"GET"}),
        ("OPTIONS", f"{ORDERS}/{UNKNOWN}", {"GET"}),
        ("POST", f"{ORDERS}/{UNKNOWN}", {"GET"}),
        ("POST", f"{ORDERS}/{UNKNOWN}/cancel", {"PUT"}),
        ("PATCH", f"{ORDERS}/{UNKNOWN}/status", {"GET"}),
        ("DELETE", f"{ORDERS}/{UNKNOWN}/notifications/email", {"GET"}),
        ("POST", "/health", {"GET"}),
    ],
)
async def test_the_wrong_method_is_an_empty_405_that_names_the_right_ones(
    client: httpx2.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = await client.request(method, path)

    assert (answer.status_code, answer.content) == (405, b"")
    assert set(answer.headers["Allow"].split(", ")) == allowed


def body_of(size: int) -> bytes:
    start, end = b'{"subject":"Hei","recipients":[{"emailAddress":"a@b.no"}],"body":"', b'"}'
    return start + b"a" * (size - len(start) - len(end)) + end


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100):
        yield content[start : start + 100]


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY, 202), (MAX_BODY + 1, 413), (10 * MAX_BODY, 413)])
@pytest.mark.parametrize("is_chunked", [True, False])
async def test_a_body_beyond_the_limit_is_an_empty_413(
    client: httpx2.AsyncClient, size: int, status: int, is_chunked: bool
) -> None:
    content = in_pieces(body_of(size)) if is_chunked else body_of(size)

    answer = await client.post(f"{ORDERS}/email", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code == status
    assert "Content-Length" in answer.request.headers or is_chunked
    assert answer.content == b"" or status == 202


@pytest.mark.parametrize(
    ("headers", "pieces"), [({}, MAX_BODY // 1_000 + 1), ({"Content-Length": str(MAX_BODY + 1)}, 0)]
)
async def test_a_body_beyond_the_limit_is_not_read_to_its_end(
    client: httpx2.AsyncClient, headers: dict[str, str], pieces: int
) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b" " * 1_000

    answer = await client.post(
        f"{ORDERS}/email", content=endless(), headers={"Content-Type": "application/json", **headers}
    )

    assert (answer.status_code, read) == (413, pieces)


@pytest.mark.parametrize("path", [ORDERS, f"{ORDERS}/email"])
@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "text/json", "application/jsonp", "application/*"],
)
async def test_a_body_that_is_no_json_is_a_415(client: httpx2.AsyncClient, path: str, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    answer = await client.post(path, content=body_of(200), headers=headers)

    body = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (415, "application/json; charset=utf-8")
    assert body.pop("traceId").startswith("00-")
    assert body == {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.16",
        "title": "Unsupported Media Type",
        "status": 415,
    }


async def test_health_asks_for_no_token(anonymous: httpx2.AsyncClient) -> None:
    answer = await anonymous.get("/health")

    assert (answer.status_code, answer.text) == (200, "Healthy")
    assert answer.headers["Content-Type"].startswith("text/plain")


async def test_without_its_database_the_service_is_not_healthy(anonymous: httpx2.AsyncClient, pool: Pool) -> None:
    await pool.close()

    answer = await anonymous.get("/health")

    assert (answer.status_code, answer.text) == (503, "Unhealthy")


@pytest.mark.parametrize(
    ("method", "path", "extra"),
    [
        ("POST", ORDERS, {"json": order_body()}),
        ("POST", f"{ORDERS}/email", {"json": email_body()}),
        ("GET", ORDERS, {"params": {"sendersReference": "x"}}),
        ("GET", f"{ORDERS}/{UNKNOWN}", {}),
        ("GET", f"{ORDERS}/{UNKNOWN}/status", {}),
        ("PUT", f"{ORDERS}/{UNKNOWN}/cancel", {}),
        ("GET", f"{ORDERS}/{UNKNOWN}/notifications/email", {}),
    ],
)
async def test_without_its_database_the_service_asks_to_come_back(
    client: httpx2.AsyncClient, pool: Pool, orders_placed: list[None], method: str, path: str, extra: dict[str, Any]
) -> None:
    await pool.close()

    answer = await client.request(method, path, **extra)

    assert (answer.status_code, answer.json()["title"]) == (503, "Service Unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert orders_placed == []


async def test_connections_that_were_cut_cost_no_more_than_a_second_try(
    client: httpx2.AsyncClient, pool: Pool, dsn: str
) -> None:
    await client.get(f"{ORDERS}/{UNKNOWN}")
    async with pool.acquire() as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    first = await client.post(f"{ORDERS}/email", json=email_body())
    answers = [await client.post(f"{ORDERS}/email", json=email_body()) for _ in range(8)]

    assert first.status_code in (202, 503)
    assert answers[-1].status_code == 202


@pytest.fixture
async def broken_database(pool: Pool) -> AsyncIterator[None]:
    """A database that refuses every order and quotes it when it does."""
    await pool.execute("ALTER TABLE orders ADD CONSTRAINT nothing_goes CHECK (false)")
    yield
    await pool.execute("ALTER TABLE orders DROP CONSTRAINT nothing_goes")


@pytest.mark.usefixtures("broken_database")
async def test_a_failure_of_our_own_is_an_empty_500_and_its_log_quotes_no_order(
    client: httpx2.AsyncClient, orders_placed: list[None], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await client.post(f"{ORDERS}/email", json=email_body(subject="Hemmelig", sendersReference="sak 7"))

    log = capsys.readouterr().err
    assert (answer.status_code, answer.content, orders_placed) == (500, b"", [])
    assert "CheckViolationError" in log
    assert not [word for word in ("Hemmelig", "sak 7", "kari@sandbox.test", MARKER) if word in log]
