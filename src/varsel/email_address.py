"""Which e-mail addresses an order may carry: what a mail server can deliver, and what the contract pins."""

import re
from collections.abc import Set

from email_validator import EmailNotValidError, validate_email

# What nearly every address looks like, in one look. The oracle for it is email-validator, which costs twenty times as
# much and judges all others: among them two hyphens in a row, which may be an A-label with rules of its own
# (RFC 5891 section 4.2.3.1), and the names that can never be on the internet (RFC 6761).
_USUAL = re.compile(
    r"(?=[^@]{1,64}@)"  # octets of a local part (RFC 5321 section 4.5.3.1.1)
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?!.*--)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"(?!(?i:localhost|local|invalid|arpa|onion)\Z)[A-Za-z]{2,63}",
    re.ASCII,
)
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9][A-Za-z0-9-]{0,62}", re.ASCII)
_ADDRESS_LIMIT = 254  # octets (RFC 5321 section 4.5.3.1.3, less the angle brackets)


def is_deliverable(address: str, internal_domains: Set[str] = frozenset()) -> bool:
    """Whether a mail server could deliver to it; spaces around it do not count, as in the original.

    An address in one of the internal domains, or below one, may have a domain that the internet does not know.
    """
    address = address.strip()
    if len(address) > _ADDRESS_LIMIT:
        return False
    if _USUAL.fullmatch(address):
        return True
    domain = address.rpartition("@")[2].lower()
    return _is_valid(address, is_internal=_is_below(domain, internal_domains))


def _is_valid(address: str, *, is_internal: bool) -> bool:
    try:
        if is_internal:
            # The oracle knows only what may be on the internet, so it judges all but the domain.
            local_part, _, domain = address.rpartition("@")
            return bool(_HOST.fullmatch(domain)) and _is_valid(f"{local_part}@example.com", is_internal=False)
        validate_email(address, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError:
        return False
    return True


def _is_below(domain: str, internal_domains: Set[str]) -> bool:
    return any(domain == internal or domain.endswith(f".{internal}") for internal in internal_domains)
