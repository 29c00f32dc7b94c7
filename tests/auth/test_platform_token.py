"""Platform access tokens: only what a certificate in the folder vouches for."""

import os
import time
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.auth.platform import KEY, OTHER_KEY, certificate, platform_token
from varsel.auth import platform_token as module
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.auth.platform_token import CertificateFolder, PlatformTokens
from varsel.errors import NotAuthenticated


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ttd.pem").write_bytes(certificate())
    return tmp_path


@pytest.fixture
def tokens(folder: Path) -> PlatformTokens:
    return PlatformTokens(CertificateFolder(folder))


async def test_the_issuer_of_a_token_that_its_certificate_vouches_for_is_the_owner(tokens: PlatformTokens) -> None:
    caller = await tokens.verify(platform_token())

    assert (caller.owner, caller.scopes) == ("ttd", frozenset())


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        platform_token(OTHER_KEY),
        platform_token(iss="nav"),
        platform_token(iss="../ttd"),
        platform_token(iss=""),
        platform_token(iss=None),
        platform_token(exp=None),
        platform_token(exp=int(time.time()) - 60),
        platform_token(nbf=int(time.time()) + 3600),
        platform_token(algorithm="RS512"),
        platform_token(algorithm="PS256"),
        jwt.encode({"iss": "ttd", "exp": int(time.time()) + 60}, "", algorithm="none"),
    ],
    ids=range(14),
)
async def test_nothing_else_is_taken(tokens: PlatformTokens, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        await tokens.verify(token)


async def test_a_public_key_is_no_shared_secret(tokens: PlatformTokens) -> None:
    claims = jwt.decode(platform_token(), options={"verify_signature": False})
    header, payload, _ = jwt.encode(claims, "x" * 32, algorithm="HS256").split(".")

    with pytest.raises(NotAuthenticated):
        await tokens.verify(f"{header}.{payload}.AAAA")


async def test_without_any_certificate_nobody_is_trusted() -> None:
    with pytest.raises(NotAuthenticated):
        await PlatformTokens().verify(platform_token())


@pytest.mark.parametrize("name", ["ttd.next.pem", "ttd/next.pem", "ttd.new.crt"])
async def test_in_a_roll_over_both_certificates_count(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(certificate(OTHER_KEY))
    tokens = PlatformTokens(CertificateFolder(folder))

    assert (await tokens.verify(platform_token(KEY))).owner == "ttd"
    assert (await tokens.verify(platform_token(OTHER_KEY))).owner == "ttd"


async def test_one_file_may_hold_several_certificates_and_another_be_der(folder: Path) -> None:
    (folder / "ttd.pem").write_bytes(certificate(KEY) + certificate(OTHER_KEY))
    der = x509.load_pem_x509_certificate(certificate(OTHER_KEY)).public_bytes(Encoding.DER)
    (folder / "nav.cer").write_bytes(der)
    tokens = PlatformTokens(CertificateFolder(folder))

    assert (await tokens.verify(platform_token(OTHER_KEY))).owner == "ttd"
    assert (await tokens.verify(platform_token(OTHER_KEY, iss="nav"))).owner == "nav"


@pytest.mark.parametrize("starts", [timedelta(days=-60), timedelta(days=1)])
async def test_a_certificate_counts_only_while_it_is_valid(folder: Path, starts: timedelta) -> None:
    (folder / "ttd.pem").write_bytes(certificate(starts=starts))

    with pytest.raises(NotAuthenticated):
        await PlatformTokens(CertificateFolder(folder)).verify(platform_token())


async def test_certificates_are_read_again_without_a_restart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_AGAIN_AFTER", -1.0)
    tokens = PlatformTokens(CertificateFolder(folder))
    await tokens.verify(platform_token())

    (folder / "ttd.pem").write_bytes(certificate(OTHER_KEY))
    os.utime(folder / "ttd.pem", ns=(1, 1))  # a file system's clock may be too coarse to tell

    assert (await tokens.verify(platform_token(OTHER_KEY))).owner == "ttd"
    with pytest.raises(NotAuthenticated):
        await tokens.verify(platform_token(KEY))


async def test_a_file_that_is_no_certificate_does_not_cost_the_others(folder: Path) -> None:
    (folder / "nav.pem").write_text("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
    (folder / "skd.cer").write_bytes(b"\x30")
    (folder / "README.txt").write_text("not one of them")

    assert (await PlatformTokens(CertificateFolder(folder)).verify(platform_token())).owner == "ttd"


async def test_a_folder_that_is_gone_trusts_nobody(tmp_path: Path) -> None:
    with pytest.raises(NotAuthenticated):
        await PlatformTokens(CertificateFolder(tmp_path / "gone")).verify(platform_token())


async def test_in_development_mode_the_test_issuers_own_platform_tokens_are_taken(issuer: DevelopmentIssuer) -> None:
    tokens = PlatformTokens(development=issuer)

    caller = await tokens.verify(issuer.platform_token(org="nav", app="app", lifetime=timedelta(minutes=5)))

    assert caller.owner == "nav"


async def test_a_bearer_token_of_the_test_issuer_is_no_platform_access_token(issuer: DevelopmentIssuer) -> None:
    bearer = issuer.token(scopes=["a:b"], lifetime=timedelta(minutes=5), org="ttd")

    with pytest.raises(NotAuthenticated):
        await PlatformTokens(development=issuer).verify(bearer)
