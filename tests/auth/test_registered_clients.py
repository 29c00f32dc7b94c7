"""The clients of the test Maskinporten: the built-in one, and a file that says what is wrong with it."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.auth.grants import MASKINPORTEN, SCOPE, assertion_claims
from tests.auth.tokens import jwk_of
from varsel.auth.maskinporten import Maskinporten
from varsel.auth.registered_clients import BUILT_IN_ID, BUILT_IN_KEY_FILE, registered_clients
from varsel.errors import SettingsError

WriteClients = Callable[[object], Path]


@pytest.fixture
def file(tmp_path: Path) -> WriteClients:
    """Writes what a test gives it, bytes as they are, else as JSON."""

    def write(content: object) -> Path:
        path = tmp_path / "clients.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


@pytest.fixture
def jwk(key: rsa.RSAPrivateKey) -> dict[str, object]:
    return jwk_of(key.public_key())


def entry(jwk: object, **changes: Any) -> dict[str, object]:
    """A client of the file; a change to None leaves the member out."""
    valid = {
        "client_id": "client-1",
        "org_number": "310000000",
        "org": "nav",
        "scopes": [SCOPE],
        "jwks": {"keys": [jwk]},
    }
    return {name: value for name, value in (valid | changes).items() if value is not None}


def pem_of(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem: bytes = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    return pem.decode()


def reason(data_dir: Path, file: Path) -> str:
    """Why the file cannot be used."""
    with pytest.raises(SettingsError) as error:
        registered_clients(data_dir, file)
    return str(error.value)


def test_the_built_in_client_has_its_key_in_a_file_for_its_owner_only(tmp_path: Path) -> None:
    maskinporten = Maskinporten.open(tmp_path, MASKINPORTEN)

    path = tmp_path / BUILT_IN_KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = jwt.encode(assertion_claims(iss=BUILT_IN_ID, scope="any:scope x"), path.read_bytes(), algorithm="RS256")
    claims = maskinporten.verify(maskinporten.grant(text).text)
    assert (claims["client_id"], claims["scope"]) == (BUILT_IN_ID, "any:scope x")
    assert claims["consumer"]["ID"] == "0192:991825827"
    assert maskinporten.clients[BUILT_IN_ID].org == "ttd"


def test_the_built_in_client_keeps_its_key(tmp_path: Path) -> None:
    first, second = (registered_clients(tmp_path, None)[BUILT_IN_ID] for _ in range(2))

    assert first.keys[0].key_id == second.keys[0].key_id


def test_maskinporten_keeps_its_key_and_shares_it_with_nobody(tmp_path: Path) -> None:
    first, second = (Maskinporten.open(tmp_path, MASKINPORTEN).jwks() for _ in range(2))

    assert first == second
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 2


def test_a_file_registers_clients_beside_the_built_in_one(
    tmp_path: Path, file: WriteClients, jwk: dict[str, object]
) -> None:
    clients = registered_clients(tmp_path, file([entry(jwk), entry(jwk, client_id="client-2", org=None)]))

    assert set(clients) == {BUILT_IN_ID, "client-1", "client-2"}
    client = clients["client-1"]
    assert (client.org, client.org_number, client.scopes) == ("nav", "310000000", frozenset({SCOPE}))
    assert [key.key_id for key in client.keys] == ["key-1"]
    assert clients["client-2"].org is None


def test_an_empty_file_of_clients_registers_none(tmp_path: Path, file: WriteClients) -> None:
    assert set(registered_clients(tmp_path, file([]))) == {BUILT_IN_ID}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
@pytest.mark.parametrize("header", [{}, {"kid": "any"}], ids=str)
def test_a_key_may_be_registered_as_pem_and_then_needs_no_id(
    tmp_path: Path,
    file: WriteClients,
    key: rsa.RSAPrivateKey,
    elliptic_key: ec.EllipticCurvePrivateKey,
    algorithm: str,
    header: dict[str, object],
) -> None:
    signer: Any = key if algorithm == "RS256" else elliptic_key
    clients = file([entry(None, jwks=None, public_key_pem=pem_of(signer))])
    maskinporten = Maskinporten.open(tmp_path, MASKINPORTEN, clients)

    assert maskinporten.grant(jwt.encode(assertion_claims(), signer, algorithm=algorithm, headers=header)).text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "truncated"),
        (b"[{]", "malformed"),
        (b"\xff", "malformed"),
        (b'[{"jwks":{"keys":[{"kty":' + b"[" * 100_000, "depth"),
        ({}, "Expected `array`"),
        ([1], "Expected `object`"),
        ([{}], "missing required field `client_id`"),
    ],
    ids=lambda value: ascii(value)[:12],
)
def test_a_file_that_holds_no_clients_is_refused_with_the_reason(
    tmp_path: Path, file: WriteClients, content: object, words: str
) -> None:
    said = reason(tmp_path, file(content))

    assert said.startswith("VARSEL_TEST_CLIENTS: ")
    assert words in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_id": ""}, "$[0].client_id"),
        ({"client_id": 1}, "$[0].client_id"),
        ({"client_id": BUILT_IN_ID}, "'varsel-test-client': the id is taken"),
        ({"org_number": 310000000}, "$[0].org_number"),
        ({"org_number": "31000000"}, "$[0].org_number"),
        ({"org_number": "٣١٠٠٠٠٠٠٠"}, "$[0].org_number"),
        ({"org_number": "0192:310000000"}, "$[0].org_number"),
        ({"org_number": "310000000\n"}, "$[0].org_number"),
        ({"org": ""}, "$[0].org"),
        ({"scopes": None}, "`scopes`"),
        ({"scopes": SCOPE}, "$[0].scopes"),
        ({"scopes": [1]}, "$[0].scopes[0]"),
        ({"organisation": "nav"}, "unknown field `organisation`"),
        ({"jwks": None}, "'client-1': needs jwks or public_key_pem"),
        ({"jwks": {}}, "missing required field `keys`"),
        ({"jwks": {"keys": []}}, "$[0].jwks.keys"),
        ({"jwks": {"keys": [1]}}, "$[0].jwks.keys[0]"),
        ({"jwks": {"keys": [{}]}}, "'client-1': a key in jwks has a kty"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}}, "'client-1': a key in jwks has a kty"),
        ({"jwks": {"keys": [{"kty": "RSA"}]}}, "'client-1': a key in jwks cannot be read"),
        ({"jwks": {"keys": [{"kty": "RSA", "n": 1, "e": []}]}}, "'client-1': a key in jwks cannot be read"),
        ({"jwks": {"keys": [{"kty": "EC", "crv": "P-257"}]}}, "'client-1': a key in jwks cannot be read"),
        ({"public_key_pem": "x"}, "'client-1': public_key_pem cannot be read"),
        ({"public_key_pem": ""}, "$[0].public_key_pem"),
    ],
    ids=str,
)
def test_a_client_that_is_none_is_refused_by_name_with_the_reason(
    tmp_path: Path, file: WriteClients, jwk: dict[str, object], changes: dict[str, object], words: str
) -> None:
    said = reason(tmp_path, file([entry(jwk, **changes)]))

    assert said.startswith("VARSEL_TEST_CLIENTS: ")
    assert words in said


def test_two_clients_of_one_id_are_refused(tmp_path: Path, file: WriteClients, jwk: dict[str, object]) -> None:
    assert "'client-1': the id is taken" in reason(tmp_path, file([entry(jwk), entry(jwk)]))


def test_a_private_key_is_refused_and_not_repeated(tmp_path: Path, file: WriteClients, key: rsa.RSAPrivateKey) -> None:
    private: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True)

    said = reason(tmp_path, file([entry(private)]))

    assert "'client-1': a key in jwks is private" in said
    assert private["d"] not in said


def test_a_private_key_as_pem_is_refused(tmp_path: Path, file: WriteClients, key: rsa.RSAPrivateKey) -> None:
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    assert "public_key_pem cannot be read" in reason(tmp_path, file([entry(None, jwks=None, public_key_pem=pem)]))


def test_a_key_that_is_too_weak_or_of_another_kind_is_refused(tmp_path: Path, file: WriteClients) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    other = ed25519.Ed25519PrivateKey.generate()

    assert "smaller than 2048 bits" in reason(tmp_path, file([entry(jwk_of(weak.public_key()))]))
    assert "smaller than 2048 bits" in reason(tmp_path, file([entry(None, jwks=None, public_key_pem=pem_of(weak))]))
    assert "neither an RSA nor" in reason(tmp_path, file([entry(None, jwks=None, public_key_pem=pem_of(other))]))


def test_a_file_that_is_not_there_is_named_as_the_reason(tmp_path: Path) -> None:
    assert reason(tmp_path, tmp_path / "none.json") == "VARSEL_TEST_CLIENTS: No such file or directory"
