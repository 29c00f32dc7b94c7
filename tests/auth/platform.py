"""Certificates and platform access tokens, as services make them."""

import time
from datetime import UTC, datetime, timedelta

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(key: rsa.RSAPrivateKey = KEY, *, starts: timedelta = timedelta(days=-1), days: int = 30) -> bytes:
    """A self-signed certificate in PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "access token signing")])
    begin = datetime.now(UTC) + starts
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return signed.public_bytes(serialization.Encoding.PEM)


def platform_token(key: rsa.RSAPrivateKey = KEY, *, algorithm: str = "RS256", **changes: object) -> str:
    """What a client of the original makes: five minutes, from now on; a change to None leaves the claim out."""
    now = int(time.time())
    claims = {"iss": "ttd", "urn:altinn:app": "app", "aud": "platform.altinn.no", "nbf": now - 5, "exp": now + 300}
    kept = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode(kept, key, algorithm=algorithm)
