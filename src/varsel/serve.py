"""The whole service as one process: what is started, in which order, and how it stops.

PostgreSQL comes first, and from the main thread, because an embedded server ends with the thread that started it.
It goes last, when nobody needs it any more. In between everything runs in one event loop.
"""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Literal, TypeVar

import structlog
import uvloop

from varsel.api.app import build_app
from varsel.api.desk import Desk
from varsel.api.development import development_resources
from varsel.api.routing import Application, Resource
from varsel.api.server import HttpServer
from varsel.asking import Asking, asking
from varsel.auth.bearer import BearerTokens
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.auth.keys import KeySource, RemoteKeys
from varsel.auth.maskinporten import Maskinporten
from varsel.auth.platform_token import CertificateFolder, PlatformTokens
from varsel.contact_register.register import ContactRegister
from varsel.database.connect import UNAVAILABLE, Pool, open_pool
from varsel.database.embedded.supervisor import EmbeddedPostgres
from varsel.database.migrate import migrate
from varsel.database.statements import statements
from varsel.delivery_reports.intake import ComplaintRules, ReportIntake
from varsel.delivery_reports.record import ReportRules
from varsel.errors import DatabaseUnavailable, SettingsError
from varsel.mail_server import MailServer
from varsel.notifications.liveness import Worker
from varsel.notifications.send import Sender, SendingRules
from varsel.orders.orders_in_hand import OrdersInHand
from varsel.orders.process import ConditionFallback, OrderProcess
from varsel.sandbox.server import Sandbox
from varsel.settings import Settings, for_development, for_production, require_loopback
from varsel.transports.relays import Relays
from varsel.transports.return_path import ReturnPaths
from varsel.worker import Station, Wake, run_loops

log = structlog.get_logger(__name__)

Role = Literal["all", "api", "worker"]
Ready = Callable[[Settings], None]
T = TypeVar("T")

GOODBYE = timedelta(seconds=0.5)  # for each kind of connection to close; what hangs is cut
CLAIMS_A_CONNECTION = 32  # what a connection sends in well under a second
UNRECORDED_A_CONNECTION = 3  # one at the relay, one whose envelope went ahead, one whose result is being written


def serve(settings: Settings, role: Role, ready: Ready) -> None:
    """Run until SIGTERM or SIGINT; `ready` is called once requests are answered (by a worker never), with the settings.

    Raises:
        SettingsError: something is missing, or an address cannot be listened on.
        DatabaseUnavailable: there is no PostgreSQL, or it went away for good.
    """
    if settings.dev:
        require_loopback(settings)
    else:
        for_production(settings)
    with _listening(settings, role) as listener, database_dsn(settings) as (dsn, postgres):
        if listener is not None:
            settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, role, ready, dsn, postgres, listener))


@contextmanager
def database_dsn(settings: Settings) -> Iterator[tuple[str, EmbeddedPostgres | None]]:
    """The way to the database that the settings name; an embedded one is started, and stopped at the end.

    Raises:
        DatabaseUnavailable: it cannot be started.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value(), None
        return
    postgres = EmbeddedPostgres(settings.data_dir, binaries=settings.pg_bin, os_user=settings.pg_os_user)
    postgres.start()
    try:
        yield postgres.dsn, postgres
    finally:
        postgres.stop()


@contextmanager
def _listening(settings: Settings, role: Role) -> Iterator[socket.socket | None]:
    """The API's socket, opened before anything else: a port that is taken should cost no time. A worker has none."""
    if role == "worker":
        yield None
        return
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; choose another --port"
            ) from error
        yield listener


async def _serve(
    settings: Settings,
    role: Role,
    ready: Ready,
    dsn: str,
    postgres: EmbeddedPostgres | None,
    listener: socket.socket | None,
) -> None:
    stop = asyncio.Event()
    _stop_on_signals(stop)
    wake = Wake()
    async with AsyncExitStack() as stack:
        stack.enter_context(contextlib.suppress(_ToldToStop))
        if postgres is not None:
            log.warning("embedded PostgreSQL is for evaluation and development: production wants VARSEL_DATABASE_URL")
            await stack.enter_async_context(_supervised(postgres, stop))
        pool = await _unless_told_to_stop(
            stack.enter_async_context(_migrated_pool(dsn, settings.database_connections)), stop
        )
        sandbox = await stack.enter_async_context(_sandbox(settings, role))
        if settings.dev:
            log.warning("development mode: a test issuer is trusted, so any caller can be any service owner")
            settings = for_development(settings, smtp_port=sandbox.port if sandbox else 0)
        tasks: list[asyncio.Task[None]] = []
        issuer = DevelopmentIssuer.open(settings.data_dir, settings.test_issuer) if settings.dev else None
        asked = await stack.enter_async_context(asking(pool, settings, issuer))
        if role != "api":
            orders = OrdersInHand(pool, _order_process(pool, settings, asked), wake)
            station = await _unless_told_to_stop(
                stack.enter_async_context(_station(pool, dsn, settings, orders, sandbox)), stop
            )
            tasks.append(asyncio.create_task(run_loops(station, wake, stop), name="worker"))
        if listener is not None:
            server = HttpServer(_api(pool, settings, asked.register, issuer, sandbox, wake))
            tasks.append(asyncio.create_task(server.run_until(stop, listener), name="answer requests"))
            await server.wait_until_started()
        _settle_memory()
        log.info("service started", role=role, port=settings.port if listener else None)
        if listener is not None:
            ready(settings)
        await _until_stopped(tasks, stop)
    log.info("service stopped")


def _settle_memory() -> None:
    """Tell the garbage collector that what is here now stays, and to look for circles less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


class _ToldToStop(Exception):
    """Before everything has started."""


async def _unless_told_to_stop(start: Coroutine[None, None, T], stop: asyncio.Event) -> T:
    """What has to wait for a database that may hang."""
    task, told = asyncio.create_task(start), asyncio.create_task(stop.wait())
    await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait([task], timeout=GOODBYE.total_seconds())
    raise _ToldToStop


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def stop_once(number: int) -> None:
        # The second signal is answered by the system's default: whoever insists gets out.
        loop.remove_signal_handler(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_once, number)


async def _until_stopped(tasks: list[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Wait for all to end, which they do once `stop` is set; one that fails stops the others."""
    for task in tasks:
        task.add_done_callback(lambda _: stop.set())
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for error in results:
        if isinstance(error, BaseException):
            raise error


@asynccontextmanager
async def _supervised(postgres: EmbeddedPostgres, stop: asyncio.Event) -> AsyncIterator[None]:
    """Keep the embedded server running; where that is impossible the service stops with the reason."""
    task = asyncio.create_task(postgres.supervise(), name="supervise PostgreSQL")
    task.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        task.cancel()
        results = await asyncio.gather(task, return_exceptions=True)
    if isinstance(results[0], DatabaseUnavailable):
        raise results[0]


@asynccontextmanager
async def _migrated_pool(dsn: str, connections: int) -> AsyncIterator[Pool]:
    pool = await open_pool(dsn, connections=connections)
    try:
        with _needing_the_database():
            await migrate(pool)
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), GOODBYE.total_seconds())
        except UNAVAILABLE:
            pool.terminate()


@contextmanager
def _needing_the_database() -> Iterator[None]:
    """Where it goes away while we start, we end with a sentence; a service manager starts us again."""
    try:
        yield
    except UNAVAILABLE as error:
        raise DatabaseUnavailable(f"PostgreSQL cannot be used: {type(error).__name__}: {error}") from error


@asynccontextmanager
async def _sandbox(settings: Settings, role: Role) -> AsyncIterator[Sandbox | None]:
    """The sandbox mail server, in development mode and where no relay is set."""
    if not settings.dev or settings.smtp_url is not None or role == "api":
        yield None
        return
    async with Sandbox() as sandbox:
        yield sandbox


@asynccontextmanager
async def _station(
    pool: Pool, dsn: str, settings: Settings, orders: OrdersInHand, sandbox: Sandbox | None
) -> AsyncIterator[Station]:
    """What the loops work with, the report listener included."""
    with _needing_the_database():
        keys = [row["secret"] for row in await pool.fetch(statements("return_path_keys")["keys_newest_first"])]
    return_paths = ReturnPaths(settings.bounce_domain, keys)
    transport = Relays.to(settings.relays, notify=settings.dsn_notify, tls=settings.relay_authorities)
    connections = max(relay.connections for relay in settings.relays)  # as one relay at a time takes the mail
    rules = SendingRules(
        domain=settings.bounce_domain,
        retry_first=settings.retry_first,
        retry_max=settings.retry_max,
        least_in_hand=connections,
        most_in_hand=connections * CLAIMS_A_CONNECTION,
        unrecorded=connections * UNRECORDED_A_CONNECTION,
        suppresses_bounces="bounces" in settings.suppress,
    )
    report_rules = ReportRules.of(settings, return_paths)
    worker = Worker(dsn)
    async with _report_listener(pool, report_rules, settings, sandbox):
        try:
            yield Station(pool, settings, worker, orders, Sender(pool, transport, return_paths, rules), report_rules)
        finally:
            with contextlib.suppress(Exception):  # the database may be what made us stop
                async with asyncio.timeout(GOODBYE.total_seconds()):
                    await asyncio.gather(transport.close(), worker.unregister(pool))


@asynccontextmanager
async def _report_listener(
    pool: Pool, rules: ReportRules, settings: Settings, sandbox: Sandbox | None
) -> AsyncIterator[None]:
    if settings.reports_listen is None:
        log.warning("no delivery reports will come in: VARSEL_REPORTS_LISTEN is not set")
        yield
        return
    address = MailServer.from_url(settings.reports_listen)
    try:
        complaints = ComplaintRules(settings.complaints_address, settings.complaints_a_minute)
        server = await ReportIntake(pool, rules, complaints).listen(address)
    except OSError as error:
        raise SettingsError(f"VARSEL_REPORTS_LISTEN: cannot listen: {error.strerror}") from error
    if sandbox is not None:
        sandbox.reports_to = replace(address, port=server.sockets[0].getsockname()[1])
    try:
        yield
    finally:
        server.close()


def _order_process(pool: Pool, settings: Settings, asked: Asking) -> OrderProcess:
    fallback = ConditionFallback(settings.condition_retry, settings.condition_unanswered)
    return OrderProcess(pool, asked.register, asked.conditions, fallback)


def _api(
    pool: Pool,
    settings: Settings,
    register: ContactRegister,
    issuer: DevelopmentIssuer | None,
    sandbox: Sandbox | None,
    wake: Wake,
) -> Application:
    issuers: dict[str, KeySource] = {listed.issuer: RemoteKeys(listed) for listed in settings.token_issuers}
    folder = settings.platform_certificates
    certificates = CertificateFolder(folder) if folder else None
    resources: Sequence[Resource] = ()
    if issuer is not None:
        issuers[issuer.issuer] = issuer
        maskinporten = Maskinporten.open(settings.data_dir, f"{settings.base_url}/", settings.test_clients)
        resources = development_resources(issuer, maskinporten, sandbox.mailbox if sandbox else None)
    tokens = BearerTokens(issuers, settings.token_issuers)
    desk = Desk(pool, settings, tokens, wake, register, PlatformTokens(certificates, development=issuer))
    return build_app(desk, more_resources=resources)
