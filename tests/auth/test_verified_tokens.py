"""Tokens that were verified a moment ago: a verdict holds for that token, and not for long."""

import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime, tzinfo

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.auth.tokens import ISSUER, KEY_ID, KnownKey, claims, jwk_of, token
from varsel.auth import verified_tokens
from varsel.auth.bearer import CLOCK_SKEW, BearerTokens
from varsel.auth.caller import CREATE_SCOPE, Caller
from varsel.auth.verified_tokens import KEPT_FOR, VerifiedTokens
from varsel.errors import NotAuthenticated

TTD = Caller("ttd", frozenset({CREATE_SCOPE}))
LONG = 86_400  # seconds; longer than any verdict is kept


class Clocks:
    """Both clocks of the machine, which stand still until a test moves them."""

    def __init__(self) -> None:
        self.calendar = time.time()
        self.monotonic = time.monotonic()

    def pass_by(self, seconds: float) -> None:
        self.calendar += seconds
        self.monotonic += seconds


class Published:
    """An issuer's keys, which it can withdraw; counts how often it was asked for one."""

    def __init__(self, key: rsa.RSAPublicKey) -> None:
        self.keys = {KEY_ID: jwt.PyJWK.from_dict(jwk_of(key))}
        self.asked = 0

    async def find_key(self, key_id: str | None) -> jwt.PyJWK | None:
        self.asked += 1
        return self.keys.get(key_id or "")


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(time, "time", lambda: clocks.calendar)
    monkeypatch.setattr(time, "monotonic", lambda: clocks.monotonic)

    class StandingDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "StandingDatetime":
            return cls.fromtimestamp(clocks.calendar, tz)

    monkeypatch.setattr(jwt.api_jwt, "datetime", StandingDatetime)
    return clocks


@pytest.fixture
def published(key: rsa.RSAPrivateKey) -> Published:
    return Published(key.public_key())


@pytest.fixture
def trusting(published: Published) -> BearerTokens:
    """Trusts the issuer whose keys are `published`."""
    return BearerTokens({ISSUER: published})


async def assert_refused(tokens: BearerTokens, text: str) -> None:
    with pytest.raises(NotAuthenticated):
        await tokens.verify(text)


def with_another_character(text: str) -> Iterator[str]:
    """The same token with one character changed, at each place in turn."""
    for place, character in enumerate(text):
        yield f"{text[:place]}{'A' if character != 'A' else 'B'}{text[place + 1 :]}"


def everything_in(thing: object) -> Iterator[object]:
    """What an object holds, and what that holds."""
    yield thing
    inside: list[object] = []
    if isinstance(thing, dict):
        inside = [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        inside = list(thing)
    elif hasattr(thing, "__dict__"):
        inside = list(vars(thing).values())
    elif is_dataclass(thing):
        inside = [getattr(thing, field.name) for field in fields(thing)]
    for inner in inside:
        yield from everything_in(inner)


async def test_a_token_that_was_verified_a_moment_ago_is_not_verified_again(
    trusting: BearerTokens, published: Published, key: rsa.RSAPrivateKey
) -> None:
    text = token(key, claims())

    callers = [await trusting.verify(text) for _ in range(3)]

    assert callers == [TTD] * 3
    assert published.asked == 1


async def test_a_token_that_expires_is_refused_though_it_was_verified_before(
    trusting: BearerTokens, key: rsa.RSAPrivateKey, clocks: Clocks
) -> None:
    text = token(key, claims(exp=int(clocks.calendar) + 60))
    await trusting.verify(text)

    clocks.pass_by(60 + CLOCK_SKEW + 1)

    await assert_refused(trusting, text)


async def test_a_token_that_lives_by_our_leniency_only_is_verified_each_time(
    trusting: BearerTokens, published: Published, key: rsa.RSAPrivateKey, clocks: Clocks
) -> None:
    text = token(key, claims(exp=int(clocks.calendar - CLOCK_SKEW / 2)))

    for _ in range(3):
        assert await trusting.verify(text) == TTD

    assert published.asked == 3


@pytest.mark.parametrize(("seconds", "is_found"), [(59.0, True), (60.0, False), (61.0, False), (-LONG, True)])
def test_a_verdict_ends_at_the_very_second_of_the_expiry(clocks: Clocks, seconds: float, is_found: bool) -> None:
    kept = VerifiedTokens()
    kept.keep("a token", TTD, clocks.calendar + 60)

    clocks.calendar += seconds

    assert kept.find("a token") == (TTD if is_found else None)


@pytest.mark.parametrize(("seconds", "is_found"), [(KEPT_FOR - 1, True), (KEPT_FOR, False), (KEPT_FOR + 1, False)])
def test_a_verdict_is_forgotten_in_time_though_the_token_lives_longer(
    clocks: Clocks, seconds: float, is_found: bool
) -> None:
    kept = VerifiedTokens()
    kept.keep("a token", TTD, clocks.calendar + LONG)

    clocks.pass_by(seconds)

    assert kept.find("a token") == (TTD if is_found else None)


def test_a_calendar_that_is_set_back_keeps_no_verdict_longer(clocks: Clocks) -> None:
    kept = VerifiedTokens()
    kept.keep("a token", TTD, clocks.calendar + LONG)

    clocks.monotonic += KEPT_FOR
    clocks.calendar -= LONG

    assert kept.find("a token") is None


async def test_asking_for_a_verdict_does_not_prolong_it(
    trusting: BearerTokens, published: Published, key: rsa.RSAPrivateKey, clocks: Clocks
) -> None:
    text = token(key, claims(exp=int(clocks.calendar) + LONG))
    await trusting.verify(text)
    for _ in range(3):
        clocks.pass_by(KEPT_FOR / 3)
        await trusting.verify(text)

    assert published.asked == 2


async def test_a_key_that_was_withdrawn_stops_counting_in_time(
    trusting: BearerTokens, published: Published, key: rsa.RSAPrivateKey, clocks: Clocks
) -> None:
    text = token(key, claims(exp=int(clocks.calendar) + LONG))
    await trusting.verify(text)
    published.keys.clear()

    clocks.pass_by(KEPT_FOR)

    await assert_refused(trusting, text)
    await assert_refused(trusting, text)


async def test_a_key_that_was_withdrawn_verifies_no_token_that_was_not_seen(
    trusting: BearerTokens, published: Published, key: rsa.RSAPrivateKey
) -> None:
    await trusting.verify(token(key, claims()))
    published.keys.clear()

    await assert_refused(trusting, token(key, claims(jti="another")))


def test_of_too_many_the_one_kept_longest_goes(monkeypatch: pytest.MonkeyPatch, clocks: Clocks) -> None:
    monkeypatch.setattr(verified_tokens, "MOST", 3)
    kept = VerifiedTokens()
    for name in "abc":
        kept.keep(name, TTD, clocks.calendar + LONG)
    kept.keep("a", TTD, clocks.calendar + LONG)  # verified anew: now b is the oldest

    kept.keep("d", TTD, clocks.calendar + LONG)

    assert [name for name in "abcd" if kept.find(name)] == ["a", "c", "d"]
    assert len(kept._kept) == 3


async def test_however_many_tokens_come_no_more_are_kept(
    trusting: BearerTokens, key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified_tokens, "MOST", 4)

    for number in range(20):
        await trusting.verify(token(key, claims(jti=str(number))))

    assert len(trusting._verified._kept) == 4


async def test_neither_the_token_nor_a_part_of_it_is_kept(trusting: BearerTokens, key: rsa.RSAPrivateKey) -> None:
    text = token(key, claims(jti="a"))

    await trusting.verify(text)

    held = list(everything_in(trusting._verified))
    assert TTD in held
    parts = [part.encode() for part in text.split(".")]
    words = [thing.encode() if isinstance(thing, str) else thing for thing in held if isinstance(thing, str | bytes)]
    assert not [word for word in words for part in parts if part in word]


@pytest.mark.parametrize(
    "changes", [{"iss": "https://else.test/"}, {"exp": 1}, {"exp": None}, {"nbf": 4_000_000_000}], ids=str
)
async def test_a_token_that_was_refused_is_not_kept(
    trusting: BearerTokens, key: rsa.RSAPrivateKey, changes: dict[str, object]
) -> None:
    text = token(key, claims(**changes))

    for _ in range(2):
        await assert_refused(trusting, text)

    assert len(trusting._verified._kept) == 0


async def test_a_refusal_is_not_remembered_either(key: rsa.RSAPrivateKey, published: Published) -> None:
    trusting, text = BearerTokens({ISSUER: published}), token(key, claims())
    known = dict(published.keys)
    published.keys.clear()
    await assert_refused(trusting, text)
    published.keys.update(known)

    assert await trusting.verify(text) == TTD


async def test_a_token_that_differs_in_one_character_is_another(trusting: BearerTokens, key: rsa.RSAPrivateKey) -> None:
    text = token(key, claims())
    await trusting.verify(text)
    signature_at = text.rindex(".") + 1
    # The last character of a signature of 256 bytes carries four bits beside two that mean nothing.
    forged = list(with_another_character(text))[:-1]

    for changed in forged:
        await assert_refused(trusting, changed)

    assert len(forged) > signature_at
    assert len(trusting._verified._kept) == 1


@pytest.mark.parametrize("end", [" ", "\n", "=", "A", "."])
async def test_a_token_with_something_behind_it_is_another(
    trusting: BearerTokens, published: Published, key: rsa.RSAPrivateKey, end: str
) -> None:
    text = token(key, claims())
    await trusting.verify(text)

    assert trusting._verified.find(f"{text}{end}") is None
    assert trusting._verified.find(text) == TTD


async def test_the_good_signature_of_another_token_does_not_serve(
    trusting: BearerTokens, key: rsa.RSAPrivateKey
) -> None:
    good, richer = token(key, claims()), token(key, claims(scope=f"{CREATE_SCOPE} more", jti="b"))
    await trusting.verify(good)
    [_, payload, _], [header, _, signature] = richer.split("."), good.split(".")

    await assert_refused(trusting, f"{header}.{payload}.{signature}")


async def test_a_forged_token_is_refused_after_the_one_that_it_imitates_was_seen(
    trusting: BearerTokens, key: rsa.RSAPrivateKey, another_key: rsa.RSAPrivateKey
) -> None:
    said = claims()
    await trusting.verify(token(key, said))

    await assert_refused(trusting, token(another_key, said))


async def test_each_token_keeps_its_own_holder(trusting: BearerTokens, key: rsa.RSAPrivateKey) -> None:
    texts = {org: token(key, claims(**{"urn:altinn:org": org})) for org in ("ttd", "skd", "nav")}
    for text in texts.values():
        await trusting.verify(text)

    again = {org: (await trusting.verify(text)).owner for org, text in texts.items()}

    assert again == {org: org for org in texts}


async def test_one_verifier_does_not_vouch_for_another(key: rsa.RSAPrivateKey, another_key: rsa.RSAPrivateKey) -> None:
    text = token(key, claims())
    await BearerTokens({ISSUER: KnownKey(key.public_key())}).verify(text)

    await assert_refused(BearerTokens({ISSUER: KnownKey(another_key.public_key())}), text)


@pytest.mark.parametrize("text", ["\ud800", "ærlig", "", "a" * 100_000])
async def test_what_is_no_token_is_refused_as_ever(trusting: BearerTokens, text: str) -> None:
    await assert_refused(trusting, text)
