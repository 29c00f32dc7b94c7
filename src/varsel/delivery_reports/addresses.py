"""Mail addresses as they stand in fields and in running text."""

import re

ADDRESS_LIMIT = 320  # octets: 64 + 1 + 255 (RFC 5321 section 4.5.3.1)

# Whatever a server took for an address; quotes may hold anything but themselves.
ADDRESS = re.compile(
    r"""(?:"[^"\s@<>]{1,64}"|[^\s<>()\[\]{},;:"'`*|=@]{1,100})"""
    r"""@(?:\[[0-9a-fA-F.:]{3,45}\]|[^\s<>()\[\]{},;:"'`*|=@!?]{1,255})"""
)
_TYPE = re.compile(r"[A-Za-z0-9-]{1,30} ?; ?")


def address_in(field: str) -> str | None:
    """The address in a field such as `rfc822; <kari@etat.test>`, as it stands; None where there is nothing."""
    value = _TYPE.sub("", field[: 2 * ADDRESS_LIMIT].strip(), count=1).strip()
    _, bracket, rest = value.partition("<")
    value = rest.partition(">")[0].strip() if bracket else value.partition(" ")[0]
    return value[:ADDRESS_LIMIT] or None


def addresses_in(text: str) -> list[str]:
    """Every address in the text, in order, each once whatever its case."""
    found: dict[str, str] = {}
    for match in ADDRESS.finditer(text):
        address = match[0].rstrip(".")
        found.setdefault(address.lower(), address)
    return list(found.values())
