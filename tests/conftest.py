"""What tests stand on: a real PostgreSQL, a scripted relay, an owner's client."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from xdist.workermanage import WorkerController

from tests.processing import orders_in_hand
from tests.relay import ScriptedRelay
from varsel.api.app import build_app
from varsel.api.desk import Desk
from varsel.auth.bearer import BearerTokens
from varsel.auth.caller import CREATE_SCOPE
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.contact_register.local import LocalRegister
from varsel.database.connect import Pool, open_pool
from varsel.database.embedded.supervisor import EmbeddedPostgres
from varsel.database.migrate import migrate
from varsel.database.statements import statements
from varsel.delivery_reports.record import ReportRules
from varsel.mail_server import MailServer
from varsel.notifications.liveness import Worker
from varsel.notifications.send import Sender, SendingRules
from varsel.orders.orders_in_hand import OrdersInHand
from varsel.relay import Relay
from varsel.sandbox.smtp_server import SmtpServer
from varsel.settings import Settings, for_development, load_settings
from varsel.transports.return_path import ReturnPaths
from varsel.transports.smtp import SmtpTransport

pytest_plugins = ["tests.log_plugin", "tests.variables"]

TEMPLATE = "varsel_template"
_server = pytest.StashKey[tuple[EmbeddedPostgres, Path] | None]()
_superuser_dsn = pytest.StashKey[str]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """One server for the whole run: the process that the others are started from owns it."""
    config = session.config
    given = getattr(config, "workerinput", {}).get("superuser_dsn")
    if given or config.option.collectonly:
        config.stash[_superuser_dsn] = given or ""
        return
    if url := os.environ.get("VARSEL_TEST_DATABASE_URL"):
        config.stash[_superuser_dsn] = url
    else:
        folder = Path(tempfile.mkdtemp(prefix="varsel-test-"))
        folder.chmod(0o711)  # the server's own user passes through, where we are root
        binaries = os.environ.get("VARSEL_TEST_PG_BIN")
        server = EmbeddedPostgres(
            folder, binaries=Path(binaries) if binaries else None, durable=False, max_connections=200
        )
        server.start()
        config.stash[_server] = server, folder
        config.stash[_superuser_dsn] = server.superuser_dsn
    asyncio.run(_make_template(config.stash[_superuser_dsn]))


def pytest_configure_node(node: WorkerController) -> None:
    """Tell each xdist worker where the server is."""
    node.workerinput["superuser_dsn"] = node.config.stash[_superuser_dsn]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the server and leave nothing behind."""
    started = session.config.stash.get(_server, None)
    if started is not None:
        server, folder = started
        server.stop()
        shutil.rmtree(folder)


async def _make_template(superuser_dsn: str) -> None:
    await _execute(superuser_dsn, f'DROP DATABASE IF EXISTS "{TEMPLATE}"', f'CREATE DATABASE "{TEMPLATE}"')
    pool = await open_pool(_with_database(superuser_dsn, TEMPLATE), connections=2)
    await migrate(pool)
    await pool.close()


async def _execute(dsn: str, *statements_in_turn: str) -> None:
    conn = await asyncpg.connect(dsn)
    for statement in statements_in_turn:
        await conn.execute(statement)
    await conn.close()


def _with_database(dsn: str, database: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def superuser_dsn(pytestconfig: pytest.Config) -> str:
    return pytestconfig.stash[_superuser_dsn]


@pytest.fixture(scope="session")
async def migrated_dsn(superuser_dsn: str) -> AsyncIterator[str]:
    """A migrated database of this process's own."""
    name = f"test_{uuid4().hex}"
    strategy = " STRATEGY FILE_COPY"  # the template has no traffic, so copying its files is quickest
    await _execute(superuser_dsn, f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"{strategy}')
    yield _with_database(superuser_dsn, name)
    await _execute(superuser_dsn, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def dsn(migrated_dsn: str) -> AsyncIterator[str]:
    """An empty database: emptying one takes a millisecond, making one half a second."""
    yield migrated_dsn
    tables = (
        "orders",
        "send_status_history",
        "delivery_reports",
        "workers",
        "owner_usage",
        "suppressed_addresses",
        "contacts",
    )
    await _execute(migrated_dsn, *(f"DELETE FROM {table}" for table in tables))


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    pool = await open_pool(dsn, connections=8)
    yield pool
    pool.terminate()


@pytest.fixture
async def return_paths(pool: Pool) -> ReturnPaths:
    rows = await pool.fetch(statements("return_path_keys")["keys_newest_first"])
    return ReturnPaths("bounce.varsel.test", [row["secret"] for row in rows])


@pytest.fixture
async def relay() -> AsyncIterator[ScriptedRelay]:
    """A relay that takes every mail until a test says otherwise."""
    script = ScriptedRelay()
    server = SmtpServer(script)
    await server.start()
    script.port = server.port
    yield script
    await server.stop()


@pytest.fixture
async def transport(relay: ScriptedRelay) -> AsyncIterator[SmtpTransport]:
    server = MailServer("smtp", "127.0.0.1", relay.port)
    transport = SmtpTransport(Relay(server, connections=4), notify=("success", "failure", "delay"))
    yield transport
    await transport.close()


@pytest.fixture
async def worker(dsn: str) -> AsyncIterator[Worker]:
    """A registered worker."""
    worker = Worker(dsn)
    await worker.prove_alive()
    yield worker
    await worker.let_go()


@pytest.fixture
def report_rules(return_paths: ReturnPaths) -> ReportRules:
    """How reports count by default."""
    return ReportRules(return_paths)


@pytest.fixture
def sender(pool: Pool, transport: SmtpTransport, return_paths: ReturnPaths) -> Sender:
    rules = SendingRules(
        domain="bounce.varsel.test",
        retry_first=timedelta(seconds=60),
        retry_max=timedelta(hours=1),
        least_in_hand=16,
        most_in_hand=16,
        unrecorded=8,
    )
    return Sender(pool, transport, return_paths, rules)


@pytest.fixture
def orders(pool: Pool) -> OrdersInHand:
    """What processes due orders, with the local contact register."""
    return orders_in_hand(pool)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return for_development(load_settings(dev=True, data_dir=tmp_path, public_url="http://varsel.test"))


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> DevelopmentIssuer:
    """One key for the whole run: making one takes a tenth of a second."""
    folder = tmp_path_factory.mktemp("issuer")
    return DevelopmentIssuer.open(folder, "http://varsel.test/authentication/api/v1/openid/")


@pytest.fixture
def orders_placed() -> list[None]:
    """Grows by one each time the API tells the worker about an order."""
    return []


@pytest.fixture
async def anonymous(
    pool: Pool, settings: Settings, issuer: DevelopmentIssuer, orders_placed: list[None]
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without any credential."""
    tokens = BearerTokens({issuer.issuer: issuer})
    app = build_app(Desk(pool, settings, tokens, lambda: orders_placed.append(None), LocalRegister(pool)))
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://varsel.test") as client:
        yield client


@pytest.fixture
def client(anonymous: httpx2.AsyncClient, issuer: DevelopmentIssuer) -> httpx2.AsyncClient:
    """The client of the service owner ttd."""
    token = issuer.token(scopes=[CREATE_SCOPE], lifetime=timedelta(minutes=5), org="ttd")
    anonymous.headers["Authorization"] = f"Bearer {token}"
    return anonymous
