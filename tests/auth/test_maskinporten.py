"""The test Maskinporten: who gets an access token, and what it says."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.auth.grants import (
    CLIENT,
    MASKINPORTEN,
    ORG_NUMBER,
    SCOPE,
    assertion,
    assertion_claims,
    client,
    maskinporten_of,
    now,
)
from tests.auth.tokens import KEY_ID, token
from varsel.auth.assertion import GrantError, GrantRefused, UsedIds
from varsel.auth.maskinporten import Maskinporten
from varsel.auth.signing_key import SigningKey


def refusal(maskinporten: Maskinporten, text: str) -> tuple[GrantError, str]:
    """Why this assertion gets no token."""
    with pytest.raises(GrantRefused) as refused:
        maskinporten.grant(text)
    return refused.value.error, str(refused.value)


def test_a_token_says_who_asked_and_what_for(maskinporten: Maskinporten, key: rsa.RSAPrivateKey) -> None:
    granted = maskinporten.grant(assertion(key))

    keys = jwt.PyJWKSet.from_dict(maskinporten.jwks())
    public = keys[jwt.get_unverified_header(granted.text)["kid"]]
    claims = jwt.decode(granted.text, public.key, algorithms=["RS256"], issuer=MASKINPORTEN)
    assert (claims.pop("exp") - claims["iat"], granted.lifetime.total_seconds()) == (120, 120)
    assert abs(claims.pop("iat") - now()) <= 2
    assert claims.pop("jti")
    assert claims == {
        "scope": SCOPE,
        "iss": MASKINPORTEN,
        "client_id": CLIENT,
        "client_amr": "private_key_jwt",
        "token_type": "Bearer",
        "consumer": {"authority": "iso6523-actorid-upis", "ID": f"0192:{ORG_NUMBER}"},
    }


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256"])
def test_an_assertion_may_be_signed_in_several_ways(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey, algorithm: str
) -> None:
    text = jwt.encode(assertion_claims(), key, algorithm=algorithm, headers={"kid": KEY_ID})

    assert maskinporten.grant(text).scope == SCOPE


def test_an_elliptic_curve_signs_as_well(
    maskinporten_key: SigningKey, elliptic_key: ec.EllipticCurvePrivateKey
) -> None:
    maskinporten = maskinporten_of(maskinporten_key, client(elliptic_key.public_key()))

    assert maskinporten.grant(jwt.encode(assertion_claims(), elliptic_key, algorithm="ES256")).scope == SCOPE


@pytest.mark.parametrize("audience", [MASKINPORTEN, MASKINPORTEN.rstrip("/"), [MASKINPORTEN]])
def test_the_audience_is_our_issuer(maskinporten: Maskinporten, key: rsa.RSAPrivateKey, audience: object) -> None:
    assert maskinporten.grant(assertion(key, aud=audience)).scope == SCOPE


@pytest.mark.parametrize(
    "audience",
    [
        None,
        "",
        "https://maskinporten.no/",
        f"{MASKINPORTEN}token",
        MASKINPORTEN.upper(),
        [],
        [MASKINPORTEN, "https://else.test/"],
        [MASKINPORTEN, MASKINPORTEN],
        [[MASKINPORTEN]],
        {"aud": MASKINPORTEN},
        1,
    ],
)
def test_an_assertion_for_somebody_else_is_refused(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey, audience: object
) -> None:
    assert refusal(maskinporten, assertion(key, aud=audience))[0] is GrantError.INVALID_GRANT


@pytest.mark.parametrize(
    ("issued", "expires", "is_granted"),
    [
        (0, 120, True),
        (0, 1, True),
        (-115, 5, True),
        (-125, -5, True),
        (-135, -15, False),
        (0, 121, False),
        (0, 3600, False),
        (-60, 61, False),
        (5, 125, True),
        (15, 120, False),
        (3600, 3700, False),
    ],
)
def test_an_assertion_lives_for_two_minutes_and_clocks_may_differ_by_ten_seconds(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey, issued: int, expires: int, is_granted: bool
) -> None:
    text = assertion(key, iat=now() + issued, exp=now() + expires)

    if is_granted:
        assert maskinporten.grant(text).scope == SCOPE
    else:
        assert refusal(maskinporten, text)[0] is GrantError.INVALID_GRANT


def test_an_assertion_is_not_taken_before_its_time(maskinporten: Maskinporten, key: rsa.RSAPrivateKey) -> None:
    assert maskinporten.grant(assertion(key, nbf=now() - 5)).scope == SCOPE
    assert refusal(maskinporten, assertion(key, nbf=now() + 15)) == (GrantError.INVALID_GRANT, "nbf is in the future")


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize(
    "value", [None, "tomorrow", "", [], {}, True, -1, 1e300, float("inf"), float("nan"), 10**400], ids=str
)
def test_a_time_that_is_none_is_refused(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey, name: str, value: object
) -> None:
    assert refusal(maskinporten, assertion(key, **{name: value}))[0] is GrantError.INVALID_GRANT


@pytest.mark.parametrize("name", ["iss", "jti", "aud", "exp", "iat"])
def test_a_refusal_names_the_claim_that_is_missing(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey, name: str
) -> None:
    assert f"`{name}`" in refusal(maskinporten, assertion(key, **{name: None}))[1]


@pytest.mark.parametrize("jti", ["", "x" * 256, 1, [], {}])
def test_an_id_is_a_text_of_sensible_length(maskinporten: Maskinporten, key: rsa.RSAPrivateKey, jti: object) -> None:
    assert refusal(maskinporten, assertion(key, jti=jti))[0] is GrantError.INVALID_GRANT


def test_an_assertion_is_good_for_one_token(maskinporten: Maskinporten, key: rsa.RSAPrivateKey) -> None:
    text = assertion(key)
    maskinporten.grant(text)

    assert refusal(maskinporten, text) == (GrantError.INVALID_GRANT, "this jti was used before")


def test_an_id_is_used_up_whatever_else_the_next_assertion_says(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey
) -> None:
    maskinporten.grant(assertion(key, jti="1"))

    assert refusal(maskinporten, assertion(key, jti="1", exp=now() + 60))[0] is GrantError.INVALID_GRANT


def test_an_assertion_that_was_refused_uses_nothing_up(maskinporten: Maskinporten, key: rsa.RSAPrivateKey) -> None:
    refusal(maskinporten, assertion(key, jti="1", scope="a"))

    assert maskinporten.grant(assertion(key, jti="1")).scope == SCOPE


def test_two_clients_may_use_the_same_id(maskinporten_key: SigningKey, key: rsa.RSAPrivateKey) -> None:
    public = key.public_key()
    maskinporten = maskinporten_of(maskinporten_key, client(public), client(public, client_id="client-2"))
    maskinporten.grant(assertion(key, jti="1"))

    assert maskinporten.grant(assertion(key, jti="1", iss="client-2")).scope == SCOPE


def test_ids_are_forgotten_when_they_can_not_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    used, clock = UsedIds(limit=2), [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    used.use(CLIENT, "1")
    clock[0] += 139
    used.use(CLIENT, "2")

    with pytest.raises(GrantRefused):
        used.use(CLIENT, "1")
    clock[0] += 2
    used.use(CLIENT, "1")


def test_when_there_is_no_room_to_remember_an_id_nothing_is_forgotten_for_it() -> None:
    used = UsedIds(limit=2)
    used.use(CLIENT, "1")
    used.use(CLIENT, "2")

    for assertion_id in ("1", "3"):
        with pytest.raises(GrantRefused):
            used.use(CLIENT, assertion_id)


@pytest.mark.parametrize(
    ("asked", "is_granted"),
    [
        ("a:b", True),
        ("a:b c", True),
        ("c  a:b", True),
        ("", False),
        (" ", False),
        (None, False),
        ("a", False),
        ("A:B", False),
        ("a:b d", False),
        ("*", False),
        ("a:b,c", False),
    ],
)
def test_a_client_gets_the_scopes_that_it_is_registered_for(
    maskinporten_key: SigningKey, key: rsa.RSAPrivateKey, asked: str | None, is_granted: bool
) -> None:
    maskinporten = maskinporten_of(maskinporten_key, client(key.public_key(), scopes=["a:b", "c"]))

    if is_granted:
        assert asked is not None
        assert maskinporten.grant(assertion(key, scope=asked)).scope == " ".join(asked.split())
    else:
        assert refusal(maskinporten, assertion(key, scope=asked))[0] is GrantError.INVALID_SCOPE


def test_a_star_stands_for_every_scope(maskinporten_key: SigningKey, key: rsa.RSAPrivateKey) -> None:
    maskinporten = maskinporten_of(maskinporten_key, client(key.public_key(), scopes=["*"]))

    assert maskinporten.grant(assertion(key, scope="x y:z")).scope == "x y:z"
    assert refusal(maskinporten, assertion(key, scope=None))[0] is GrantError.INVALID_SCOPE


@pytest.mark.parametrize("scope", [["a"], 1, {}, True])
def test_a_scope_is_a_text(maskinporten: Maskinporten, key: rsa.RSAPrivateKey, scope: object) -> None:
    assert refusal(maskinporten, assertion(key, scope=scope))[0] is GrantError.INVALID_GRANT


@pytest.mark.parametrize("client_id", ["", "client-2", "CLIENT-1", f" {CLIENT}", MASKINPORTEN])
def test_a_client_that_nobody_registered_is_refused(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey, client_id: str
) -> None:
    assert refusal(maskinporten, assertion(key, iss=client_id))[0] is GrantError.INVALID_CLIENT


@pytest.mark.parametrize(("key_id", "signer"), [("key-1", 0), ("key-2", 1), (None, 0), (None, 1)])
def test_the_key_id_chooses_among_the_clients_keys_and_without_one_each_is_tried(
    maskinporten_key: SigningKey,
    key: rsa.RSAPrivateKey,
    another_key: rsa.RSAPrivateKey,
    key_id: str | None,
    signer: int,
) -> None:
    maskinporten = maskinporten_of(maskinporten_key, client(key.public_key(), another_key.public_key()))
    header = {"kid": key_id} if key_id else {}

    text = jwt.encode(assertion_claims(), (key, another_key)[signer], algorithm="RS256", headers=header)

    assert maskinporten.grant(text).scope == SCOPE


@pytest.mark.parametrize("key_id", ["", "key-3", "KEY-1", 1, ["key-1"], None])
def test_a_key_id_that_the_client_did_not_register_is_refused(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey, key_id: object
) -> None:
    assert refusal(maskinporten, token(key, assertion_claims(), kid=key_id))[0] is GrantError.INVALID_GRANT
