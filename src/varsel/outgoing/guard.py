"""A guard for requests to addresses that somebody else has named: only the public internet is spoken with.

Where a name leads is looked at after it was resolved, and the connection goes to the very address that was looked at:
a name that leads elsewhere a moment later (DNS rebinding) gains nothing. Redirects are requests like the first.
"""

import ssl
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx2

from varsel.outgoing.answer import NoAnswer
from varsel.outgoing.resolver import Resolver

ADDRESSES_LIMIT = 4  # of one name that are tried; each may take as long as connecting does

# What Python's own registry does not hold, or not in every version that we run on (RFC 6890 and its successors).
_NEVER = (
    ip_network("192.0.0.0/24"),  # protocol assignments; one cloud's metadata is here
    ip_network("192.88.99.0/24"),  # relays of 6to4, withdrawn (RFC 7526)
    ip_network("168.63.129.16/32"),  # a public address by which a cloud tells its machines secrets
    ip_network("2001::/23"),  # protocol assignments, Teredo among them
    ip_network("2002::/16"),  # 6to4: holds an IPv4 address, and is withdrawn
    ip_network("3fff::/20"),  # documentation
)
# Where machines are told secrets. Whoever allows private networks does not mean these.
_METADATA = (
    ip_network("169.254.0.0/16"),  # link-local: most clouds
    ip_network("fe80::/10"),
    ip_network("fd00:ec2::/32"),
    ip_network("100.100.100.200/32"),
    ip_network("192.0.0.192/32"),
    ip_network("168.63.129.16/32"),
)
_GLOBAL_UNICAST = ip_network("2000::/3")  # all that has been given out of IPv6 (RFC 4291 section 2.4)
_NAT64 = ip_network("64:ff9b::/96")  # holds an IPv4 address (RFC 6052): so a network without IPv4 reaches the rest


class Refused(NoAnswer):
    """The address is not on the public internet."""


def is_no_metadata(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is anything but an address by which clouds tell their machines secrets."""
    inner = _ipv4_inside(address)
    return not any(one in network for one in (address, inner) if one is not None for network in _METADATA)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is an ordinary address of the public internet, also where it holds another one inside."""
    inner = _ipv4_inside(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _NEVER)


def _ipv4_inside(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    return IPv4Address(address.packed[-4:]) if address in _NAT64 else address.ipv4_mapped


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Connects to public addresses only, and with a name's certificate verified by that name.

    No connection is kept: they are told apart by address here, and two names may share one.
    """

    def __init__(self, authorities: ssl.SSLContext, *, allows_private: bool = False) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        self._transport = httpx2.AsyncHTTPTransport(verify=authorities, trust_env=False, limits=limits)
        self._allows_private = allows_private
        self._resolver = Resolver()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Resolve, look, connect.

        Raises:
            Refused: the name leads, or may lead, to an address that is not public.
        """
        name = request.url.raw_host.decode("ascii")
        last_error: httpx2.TransportError = httpx2.ConnectError("the name has no address")
        for address in await self._addresses_of(request.url):
            request.url = request.url.copy_with(host=address)  # the Host header has the name, and keeps it
            request.extensions = {**request.extensions, "sni_hostname": name}
            try:
                return await self._transport.handle_async_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                last_error = error
        raise last_error

    async def aclose(self) -> None:
        """Close what is open."""
        await self._transport.aclose()

    async def _addresses_of(self, url: httpx2.URL) -> Sequence[str]:
        """All public, or none: a name that leads inside and outside at once is not to be trusted with either."""
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._resolver.addresses(url.raw_host.decode("ascii"), port)
        may_be_asked = is_no_metadata if self._allows_private else is_public
        if not all(may_be_asked(ip_address(address)) for address in addresses):
            raise Refused("the address is not on the public internet")
        return addresses[:ADDRESSES_LIMIT]
