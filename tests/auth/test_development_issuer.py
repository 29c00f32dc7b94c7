"""The test issuer's key: made once whoever comes at the same time, for its owner's eyes, and the same tomorrow."""

import stat
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import jwt
import pytest

from varsel.auth.bearer import BearerTokens
from varsel.auth.caller import CREATE_SCOPE, Caller
from varsel.auth.development_issuer import KEY_FILE, DevelopmentIssuer, TokenHolder

ISSUER = "http://varsel.test/authentication/api/v1/openid/"
RACERS = 3


def published(folder: Path) -> str:
    """The key that an issuer of this folder publishes; at module level, for another process to run."""
    return str(DevelopmentIssuer.open(folder, ISSUER).jwks())


def new_token(issuer: DevelopmentIssuer, org: str | None = "ttd") -> str:
    return issuer.token(scopes=[CREATE_SCOPE, "b"], lifetime=timedelta(minutes=1), org=org)


def test_threads_that_come_at_once_end_up_with_one_key(tmp_path: Path) -> None:
    barrier = threading.Barrier(RACERS)

    def race(_: int) -> str:
        barrier.wait()
        return published(tmp_path)

    with ThreadPoolExecutor(RACERS) as threads:
        keys = set(threads.map(race, range(RACERS)))

    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_processes_that_come_at_once_end_up_with_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(RACERS, mp_context=get_context("spawn")) as processes:
        keys = set(processes.map(published, [tmp_path] * RACERS))

    assert keys == {published(tmp_path)}
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_the_key_is_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "of" / "varsel"

    DevelopmentIssuer.open(folder, ISSUER)

    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) & 0o022 == 0


async def test_a_token_outlives_a_restart(tmp_path: Path) -> None:
    token = new_token(DevelopmentIssuer.open(tmp_path, ISSUER))

    reopened = DevelopmentIssuer.open(tmp_path, ISSUER)

    assert await BearerTokens({ISSUER: reopened}).verify(token) == Caller("ttd", frozenset({CREATE_SCOPE, "b"}))


async def test_another_folder_is_another_issuer(tmp_path: Path) -> None:
    first, second = (DevelopmentIssuer.open(tmp_path / name, ISSUER) for name in ("a", "b"))

    key_id = jwt.get_unverified_header(new_token(first))["kid"]

    assert await first.find_key(key_id) is not None
    assert await second.find_key(key_id) is None
    assert await first.find_key(None) is None


@pytest.mark.parametrize("org", [None, ""])
async def test_a_token_without_owner_names_none(issuer: DevelopmentIssuer, org: str | None) -> None:
    caller = await BearerTokens({issuer.issuer: issuer}).verify(new_token(issuer, org))

    assert caller.owner is None


def test_no_two_tokens_are_the_same(issuer: DevelopmentIssuer) -> None:
    first, second = (jwt.decode(new_token(issuer), options={"verify_signature": False}) for _ in range(2))

    assert first["jti"] != second["jti"]


async def test_a_platform_token_is_an_apps_own_and_valid_a_little_before(issuer: DevelopmentIssuer) -> None:
    text = issuer.platform_token("nav", "notify", timedelta(minutes=5))

    key = await issuer.find_key(jwt.get_unverified_header(text)["kid"])
    assert key is not None
    claims = jwt.decode(text, key.key, algorithms=["RS256"], audience="platform.altinn.no")
    assert claims.pop("exp") - claims.pop("nbf") == 305
    assert claims == {"iss": "nav", "urn:altinn:app": "notify", "aud": "platform.altinn.no"}


def test_a_token_may_name_who_acts_for_its_holder(issuer: DevelopmentIssuer) -> None:
    holder = TokenHolder("ttd", "310000000", "client-1", "310000001", "http://varsel.test/delegations")

    text = issuer.token_of(holder, scopes=["a"], lifetime=timedelta(minutes=1))

    claims = jwt.decode(text, options={"verify_signature": False})
    assert (claims["client_id"], claims["delegation_source"]) == ("client-1", "http://varsel.test/delegations")
    assert claims["consumer"] == {"authority": "iso6523-actorid-upis", "ID": "0192:310000000"}
    assert claims["supplier"] == {"authority": "iso6523-actorid-upis", "ID": "0192:310000001"}
