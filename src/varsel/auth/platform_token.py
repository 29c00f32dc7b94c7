"""PlatformAccessToken: a short-lived JWT that a service signs with its own certificate; it suffices alone.

The issuer in the token is only a name to look up among the certificates that an operator has put into a folder. A
token that is there but cannot be verified is an error, never ignored: the original takes the owner from it unverified.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import jwt
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from varsel.auth.bearer import CLOCK_SKEW, unverified
from varsel.auth.caller import Caller
from varsel.auth.keys import KeySource
from varsel.errors import NotAuthenticated

log = structlog.get_logger(__name__)

ALGORITHM = "RS256"
APP_CLAIM = "urn:altinn:app"
LOOK_AGAIN_AFTER = 5.0  # seconds; a certificate that was put in or taken out counts from then on
_ENDINGS = (".pem", ".crt", ".cer")


class CertificateFolder:
    """The certificates of each issuer: `ttd.pem`, `ttd.next.pem` for a roll-over, or files in a folder `ttd`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looked_at = float("-inf")
        self._files: dict[Path, int] = {}  # with the time of their last change, nanoseconds
        self._certificates: dict[str, list[x509.Certificate]] = {}

    def keys_of(self, issuer: str) -> list[RSAPublicKey]:
        """The public keys of the issuer's certificates that are valid now."""
        if time.monotonic() - self._looked_at > LOOK_AGAIN_AFTER:
            self._look()
        now = datetime.now(UTC)
        valid = [
            c for c in self._certificates.get(issuer, []) if c.not_valid_before_utc <= now <= c.not_valid_after_utc
        ]
        return [key for key in (certificate.public_key() for certificate in valid) if isinstance(key, RSAPublicKey)]

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        try:
            files = {path: path.stat().st_mtime_ns for path in self._folder.rglob("*") if path.suffix in _ENDINGS}
        except OSError as error:
            log.warning("platform certificates cannot be read; those known stay in use", error=type(error).__name__)
            return
        if files != self._files:
            self._files, self._certificates = files, {}
            for path in files:
                self._certificates.setdefault(self._issuer_of(path), []).extend(_certificates_in(path))
            log.info("platform certificates read", files=len(files), issuers=len(self._certificates))

    def _issuer_of(self, path: Path) -> str:
        return path.relative_to(self._folder).parts[0].partition(".")[0]


class PlatformTokens:
    """Verifies platform access tokens; with neither source it trusts nobody."""

    def __init__(self, certificates: CertificateFolder | None = None, development: KeySource | None = None) -> None:
        self._certificates = certificates
        self._development = development

    async def verify(self, token: str) -> Caller:
        """The token's issuer, as the owner; it carries no scopes, since none are asked of it.

        Raises:
            NotAuthenticated: not a token, expired, or not signed by its issuer.
        """
        try:
            issuer, header = unverified(token)
            if await self._is_vouched_for(token, issuer, header.get("kid")):
                return Caller(owner=issuer, scopes=frozenset())
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise NotAuthenticated("the platform access token cannot be verified") from error
        raise NotAuthenticated("the platform access token is signed by nobody that we know")

    async def _is_vouched_for(self, token: str, issuer: str, key_id: object) -> bool:
        keys = self._certificates.keys_of(issuer) if self._certificates else []
        if any(_is_signed_by(token, issuer, key) for key in keys):
            return True
        if self._development is None or not isinstance(key_id, str):
            return False
        development = await self._development.find_key(key_id)
        # That key signs the test issuer's bearer tokens too, which name no application.
        return development is not None and _is_signed_by(token, issuer, development.key, needs=[APP_CLAIM])


def _is_signed_by(token: str, issuer: str, key: RSAPublicKey, needs: Sequence[str] = ()) -> bool:
    """False where another key of the same issuer may still fit; whatever else is wrong raises."""
    try:
        jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=issuer,
            leeway=CLOCK_SKEW,
            options={"require": ["exp", "iss", *needs], "verify_aud": False},
        )
    except jwt.InvalidSignatureError:
        return False
    return bool(issuer)


def _certificates_in(path: Path) -> list[x509.Certificate]:
    try:
        content = path.read_bytes()
        is_pem = b"-----BEGIN" in content
        return x509.load_pem_x509_certificates(content) if is_pem else [x509.load_der_x509_certificate(content)]
    except (OSError, ValueError) as error:
        log.warning("platform certificate cannot be read", file=path.name, error=type(error).__name__)
        return []
