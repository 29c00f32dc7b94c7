"""The command line: serve, demo, token, and what operators need."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import asyncpg

from varsel.auth.caller import CREATE_SCOPE
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.classify_files import classify_files
from varsel.contact_commands import add_contact_actions
from varsel.database.connect import UNAVAILABLE, Pool, open_pool
from varsel.database.migrate import migrate
from varsel.demo import run_demo
from varsel.errors import DatabaseUnavailable, SettingsError
from varsel.logs import configure_logs, log_what_nobody_catches
from varsel.operator_commands import (
    add_suppression,
    export_suppressions,
    list_reports,
    list_suppressions,
    print_report,
    remove_suppression,
)
from varsel.outgoing_settings import OutgoingSettings
from varsel.output import leave_output
from varsel.serve import database_dsn, serve
from varsel.settings import Settings, for_development, load_settings
from varsel.show import show_order

PUBLIC_URL_FILE = "public-url"  # in the data directory: where the last server in development mode is reached
TOKEN_LIFETIME = timedelta(hours=24)

T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; what the user can mend ends in one line and exit code 2."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (SettingsError, DatabaseUnavailable) as error:
        print(f"varsel: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        leave_output()  # whoever read it has enough
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varsel", description="E-mail orders, sent and followed to their final status."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = commands.add_parser

    one = add("serve", help="run the service")
    one.add_argument("--host", help="address to listen on (127.0.0.1)")
    one.add_argument("--port", type=int, help="port to listen on (5090); 0 takes a free one")
    one.add_argument(
        "--dev", action="store_true", default=None, help="development mode: test issuer, sandbox, loopback"
    )
    one.add_argument("--role", choices=("all", "api", "worker"), default="all", help="what this process does (all)")
    one.set_defaults(command=_serve)

    one = add("demo", help="place the example order on a service of its own and watch its fates")
    one.set_defaults(command=lambda options: sys.exit(run_demo()))

    one = add("migrate", help="bring the database to the present schema")
    one.set_defaults(command=_migrate)

    one = add("token", help="make a token of the test issuer of development mode")
    one.add_argument("--org", required=True, help="short name of the service owner, for example ttd")
    one.add_argument("--scope", action="append", help=f"scope; may be repeated ({CREATE_SCOPE})")
    one.add_argument("--ttl", type=int, help="lifetime in seconds (a day)")
    one.set_defaults(command=_token)

    one = add("show", help="print an order and every step of its notifications")
    one.add_argument("order", type=UUID, help="the order's id")
    one.set_defaults(command=_show)

    one = add("classify", help="say what bounce, delay or complaint mails are taken for: a line of JSON each")
    one.add_argument("file", nargs="+", help="a mail, as it came")
    one.set_defaults(command=_classify)

    one = add("suppressions", help="the addresses that an owner's mail is not sent to")
    _add_suppressions(one)

    one = add("contacts", help="the contact register that you fill: where persons and organisations are reached")
    for action in add_contact_actions(one):
        _add_data_dir(action)
        action.set_defaults(command=_contacts)

    one = add("reports", help="list the delivery reports that match no mail; with a number, print that one")
    one.add_argument("report", type=int, nargs="?", help="a report's number, as varsel show prints it")
    one.set_defaults(command=_reports)

    one = add("settings", help="print every setting: present value, unit and meaning")
    one.set_defaults(command=_settings)

    for command in commands.choices.values():
        _add_data_dir(command)
    return parser


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    # Suppressed, so that an action does not undo what was given to its command.
    parser.add_argument(
        "--data-dir", type=Path, default=argparse.SUPPRESS, help="folder of the embedded database and the test key"
    )


def _add_suppressions(parser: argparse.ArgumentParser) -> None:
    """`varsel suppressions list|export [--owner]`, `add|remove OWNER ADDRESS`."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for name, act, help_text in (
        ("list", list_suppressions, "print them, with the reason"),
        ("export", export_suppressions, "write them to stdout as CSV"),
    ):
        one = actions.add_parser(name, help=help_text)
        one.add_argument("--owner", help="of this service owner only, for example ttd")
        one.set_defaults(command=_suppressions, act=lambda pool, options, act=act: act(pool, options.owner))
    one = actions.add_parser("add", help="suppress an address, until it is removed")
    one.add_argument("--why", help="kept with the entry")
    one.set_defaults(
        command=_suppressions,
        act=lambda pool, options: add_suppression(pool, options.owner, options.address, options.why),
    )
    two = actions.add_parser("remove", help="let mail go to the address again")
    two.set_defaults(
        command=_suppressions, act=lambda pool, options: remove_suppression(pool, options.owner, options.address)
    )
    for action in actions.choices.values():
        _add_data_dir(action)
    for action in (one, two):
        action.add_argument("owner", help="short name of the service owner")
        action.add_argument("address", help="e-mail address, in any case")


def _settings_of(options: argparse.Namespace, *, is_service: bool = False) -> Settings:
    given = {name: getattr(options, name, None) for name in ("host", "port", "dev", "data_dir")}
    settings = load_settings(**given)
    # Beside a command's own output only trouble is worth a line.
    configure_logs(settings.log_level if is_service else "ERROR")
    log_what_nobody_catches()
    return settings


def _serve(options: argparse.Namespace) -> None:
    serve(_settings_of(options, is_service=True), options.role, _announce)


def _announce(settings: Settings) -> None:
    if not settings.dev:
        return
    issuer = DevelopmentIssuer.open(settings.data_dir, settings.test_issuer)
    token = issuer.token(scopes=[CREATE_SCOPE], lifetime=TOKEN_LIFETIME, org="ttd")
    url = settings.base_url
    # Written last and in one piece: whoever waits for this file may use the service at once.
    (settings.data_dir / f"{PUBLIC_URL_FILE}.new").write_text(url, encoding="utf-8")
    (settings.data_dir / f"{PUBLIC_URL_FILE}.new").replace(settings.data_dir / PUBLIC_URL_FILE)
    print(
        f"""
Varsel is ready at {url}   (Ctrl-C stops it)

DEVELOPMENT MODE: it trusts a test issuer, so everybody on this machine can be any service owner.
Mail goes to a sandbox that plays outcomes: delivered@, bounced@, spam@, deferred@… in sandbox.test;
what it received is listed at {url}/sandbox/messages
The API is described, and can be tried, at {url}/docs

A token for the service owner ttd, good for a day:

{token}

Try:

curl -s -X POST {url}/notifications/api/v1/orders/email \\
  -H 'Content-Type: application/json' -H 'Authorization: Bearer {token}' \\
  -d '{{"subject": "Hei", "body": "Hei på deg!", "recipients": [{{"emailAddress": "delivered@sandbox.test"}}]}}'
""",
        flush=True,
    )


def _migrate(options: argparse.Namespace) -> None:
    applied = _with_database(_settings_of(options), migrate)
    print("\n".join(f"applied {name}" for name in applied) or "the database is up to date")


def _token(options: argparse.Namespace) -> None:
    settings = _settings_of(options)
    file = settings.data_dir / PUBLIC_URL_FILE
    if settings.public_url is None and file.exists():
        settings = settings.model_copy(update={"public_url": file.read_text(encoding="utf-8")})
    issuer = DevelopmentIssuer.open(settings.data_dir, for_development(settings).test_issuer)
    lifetime = timedelta(seconds=options.ttl) if options.ttl else TOKEN_LIFETIME
    print(issuer.token(scopes=options.scope or [CREATE_SCOPE], lifetime=lifetime, org=options.org))


def _show(options: argparse.Namespace) -> None:
    text = _with_database(_settings_of(options), lambda pool: show_order(pool, options.order))
    if text is None:
        raise SettingsError(f"there is no order {options.order}")
    print(text)


def _suppressions(options: argparse.Namespace) -> None:
    _with_database(_settings_of(options), lambda pool: options.act(pool, options))


def _contacts(options: argparse.Namespace) -> None:
    settings = _settings_of(options)
    _with_database(settings, lambda pool: options.act(pool, options, settings.internal_domains))


def _reports(options: argparse.Namespace) -> None:
    number = options.report
    _with_database(
        _settings_of(options), lambda pool: list_reports(pool) if number is None else print_report(pool, number)
    )


def _settings(options: argparse.Namespace) -> None:
    settings = _settings_of(options)
    inherited = OutgoingSettings.model_fields  # pydantic has them first; who we are comes before whom we ask
    fields = Settings.model_fields
    for name in sorted(fields, key=lambda name: name in inherited):
        origin = "" if name in settings.model_fields_set else " (default)"
        print(f"VARSEL_{name.upper()}={settings.shown(name)}{origin}\n    {fields[name].description}")


def _classify(options: argparse.Namespace) -> None:
    for line in classify_files(options.file):
        print(line)


def _with_database(settings: Settings, act: Callable[[Pool], Awaitable[T]]) -> T:
    async def connected(dsn: str) -> T:
        pool = await open_pool(dsn, connections=2)
        try:
            return await act(pool)
        except asyncpg.UndefinedTableError as error:
            raise DatabaseUnavailable("the database has no schema yet: run varsel migrate") from error
        except BrokenPipeError:
            raise  # our output's, not the database's
        except UNAVAILABLE as error:
            raise DatabaseUnavailable(f"PostgreSQL did not answer: {type(error).__name__}") from error
        finally:
            await pool.close()

    with database_dsn(settings) as (dsn, _):
        return asyncio.run(connected(dsn))
