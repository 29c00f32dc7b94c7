"""A return path of its own for each mail, signed, so that a report finds its mail and nobody can make one up.

    b+<notification id, base32>.<HMAC-SHA256 over the id, first 80 bits, base32>@<return path domain>

Lower-case base32, because some mail servers change the case of local parts; 45 of the 64 octets that a local part
may have (RFC 5321 section 4.5.3.1.1). The id finds the mail even where a report is not RFC 3464.
"""

import base64
import hmac
import re
from collections.abc import Sequence
from uuid import UUID

_LOCAL_PART = re.compile(r"b\+([a-z2-7]{26})\.([a-z2-7]{16})", re.ASCII)
_SIGNATURE_BYTES = 10


class ReturnPaths:
    """Makes return paths under the newest key, and reads those of every key."""

    def __init__(self, domain: str, keys: Sequence[bytes]) -> None:
        self._domain = domain.lower()
        self._keys = tuple(keys)

    def address_of(self, notification_id: UUID) -> str:
        """The return path of this notification."""
        return f"b+{_base32(notification_id.bytes)}.{_signature(self._keys[0], notification_id)}@{self._domain}"

    def notification_of(self, address: str) -> UUID | None:
        """The notification that this return path belongs to; None unless we signed it."""
        local_part, _, domain = address.lower().rpartition("@")
        match = _LOCAL_PART.fullmatch(local_part)
        if match is None or domain != self._domain:
            return None
        notification_id = UUID(bytes=base64.b32decode(match[1].upper() + "======"))
        # 26 digits hold two bits more than an id: only the spelling that we make is ours.
        is_ours = _base32(notification_id.bytes) == match[1] and any(
            hmac.compare_digest(_signature(key, notification_id), match[2]) for key in self._keys
        )
        return notification_id if is_ours else None


def _signature(key: bytes, notification_id: UUID) -> str:
    return _base32(hmac.digest(key, b"return path " + notification_id.bytes, "sha256")[:_SIGNATURE_BYTES])


def _base32(octets: bytes) -> str:
    return base64.b32encode(octets).decode("ascii").rstrip("=").lower()
