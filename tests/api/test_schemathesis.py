"""Schemathesis against our own document: whatever it makes of it, the service answers as the document says."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from socket import socket
from typing import Any
from uuid import uuid4

import httpx2
import hypothesis
import pytest
import schemathesis
import uvicorn
from schemathesis import CheckContext, Response
from schemathesis.config import SchemathesisConfig

from tests.api.bodies import ORDERS, email_body
from varsel.api.app import build_app
from varsel.api.desk import Desk
from varsel.api.openapi.document import build_document
from varsel.auth.bearer import BearerTokens
from varsel.auth.caller import CREATE_SCOPE
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.contact_register.local import LocalRegister
from varsel.database.connect import open_pool
from varsel.settings import Settings

KEY = re.compile("[ -~]{1,255}")
PATIENCE = 10.0  # seconds; a bound for a machine under load

# The same requests in every run. Credentials are the test's own: made up ones are 401, whatever comes with them.
config = SchemathesisConfig.from_dict(
    {
        "seed": 1,
        "generation": {"deterministic": True, "with-security-parameters": False},
        # Judged by `is_refused_for_what_no_schema_can_say` instead.
        "checks": {"positive_data_acceptance": {"enabled": False}},
    }
)
Request = schemathesis.Case[Any]  # one that schemathesis has made up
document = schemathesis.openapi.from_dict(build_document("http://varsel.test"), config=config)

bounded = hypothesis.settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    # One database for all requests of a test is what is wanted: they meet what others have left.
    suppress_health_check=list(hypothesis.HealthCheck),
)

# What is wrong with a body may lie beyond JSON Schema: then one of these is among the messages.
BEYOND_SCHEMA = (
    "The JSON text must not contain the character U+0000.",
    "Send time must be in the future. Leave blank to send immediately.",
    "Path: $.requestedSendTime.",  # a day that is not in the calendar
    "Invalid email address format.",
    "The condition endpoint must be a valid URL.",
    "Varsel does not send SMS yet.",
)


class Server(uvicorn.Server):
    """The service in a thread and an event loop of its own, since schemathesis asks from outside of any."""

    def __init__(self, dsn: str, settings: Settings, tokens: BearerTokens) -> None:
        super().__init__(uvicorn.Config("", port=0, log_config=None, access_log=False, ws="none", lifespan="off"))
        self._dsn, self._settings, self._tokens = dsn, settings, tokens
        self._has_started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve_orders()), name="service")

    async def _serve_orders(self) -> None:
        pool = await open_pool(self._dsn, connections=4)
        self.config.app = build_app(Desk(pool, self._settings, self._tokens, lambda: None, LocalRegister(pool)))
        await self.serve()
        pool.terminate()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        self._has_started.set()

    @contextmanager
    def running(self) -> Iterator[str]:
        """Serve for as long as the block does; yields the URL."""
        self._thread.start()
        try:
            assert self._has_started.wait(PATIENCE)
            yield f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}"
        finally:
            self.should_exit = True
            self._thread.join(PATIENCE)


@pytest.fixture
def url(anyio_backend: object, dsn: str, settings: Settings, issuer: DevelopmentIssuer) -> Iterator[str]:
    with Server(dsn, settings, BearerTokens({issuer.issuer: issuer})).running() as url:
        yield url


@pytest.fixture
def order_ids(url: str, headers: dict[str, str]) -> list[str]:
    """Orders that are there to be read: one that is due and one for later, which can be cancelled."""
    bodies = (email_body(), email_body(requestedSendTime="2036-05-02T09:00:00+02:00"))
    answers = [httpx2.post(f"{url}{ORDERS}/email", json=body, headers=headers) for body in bodies]
    return [answer.json()["orderId"] for answer in answers]


@pytest.fixture
def headers(issuer: DevelopmentIssuer) -> dict[str, str]:
    token = issuer.token(scopes=[CREATE_SCOPE], lifetime=timedelta(minutes=5), org="ttd")
    return {"Authorization": f"Bearer {token}"}


def is_good(case: Request) -> bool:
    """Whether the document allows this request."""
    return case.meta is not None and case.meta.generation.mode.is_positive


def is_refused_for_what_no_schema_can_say(ctx: CheckContext, response: Response, case: Request) -> None:
    """A request that the document calls good is refused only for what JSON Schema has no words for."""
    if is_good(case) and response.status_code == 400:
        reasons = response.json()["errors"].values()
        assert any(known in message for messages in reasons for message in messages for known in BEYOND_SCHEMA)


def excluded_from(case: Request) -> list[Any]:
    """GET on the paths where orders are placed is not 405: it reads the order with the id `email`, which is none."""
    is_read_as_id = case.method == "GET" and case.path.endswith(("/email", "/sms")) and "{id}" not in case.path
    return schemathesis.checks.CHECKS.get_by_names(["unsupported_method"]) if is_read_as_id else []


def make_answerable(case: Request, order_ids: list[str]) -> None:
    """Most requests should be answered for what they are: with a key of their own, an order that is there, in time."""
    if KEY.fullmatch(case.headers.get("Idempotency-Key", "")):
        case.headers["Idempotency-Key"] = str(uuid4())
    if not is_good(case):
        return
    if "id" in case.path_parameters:
        choices = [*order_ids, case.path_parameters["id"]]
        case.path_parameters["id"] = choices[len(set(case.path_parameters["id"])) % len(choices)]
    if isinstance(case.body, dict) and isinstance(time := case.body.get("requestedSendTime"), str):
        case.body["requestedSendTime"] = f"9{time[1:]}"


@document.parametrize()
@bounded
def test_every_answer_is_as_the_document_says(
    case: Request, url: str, headers: dict[str, str], order_ids: list[str]
) -> None:
    make_answerable(case, order_ids)

    case.call_and_validate(
        base_url=url,
        headers=headers,
        additional_checks=[is_refused_for_what_no_schema_can_say],
        excluded_checks=excluded_from(case),
    )
