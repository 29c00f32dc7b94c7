"""The two HTTP clients that we ask others with: one for addresses from settings, one for those that others have named.

Neither keeps cookies: what one server sets would be told to the next that answers under its name or address.

The proxies that the environment names (`HTTPS_PROXY`, `NO_PROXY` and their like) are for the first only, since many a
network has no other way out. This machine is reached without them, for a token endpoint on it may do without TLS. The
second takes none: a proxy resolves the name again, and connects to what nobody has looked at.
"""

import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from varsel.outgoing.guard import GuardedTransport

THIS_MACHINE = ("all://localhost", "all://127.0.0.0/8", "all://[::1]")


def trusted_client(authorities: ssl.SSLContext, limits: httpx2.Limits) -> httpx2.AsyncClient:
    """For addresses that an operator has set; time is bounded by `answer_to`, for each answer as a whole."""
    without_proxy = dict.fromkeys(THIS_MACHINE)
    return httpx2.AsyncClient(
        verify=authorities, limits=limits, timeout=None, cookies=_no_cookies(), mounts=without_proxy
    )


def guarded_client(authorities: ssl.SSLContext, *, allows_private: bool) -> httpx2.AsyncClient:
    """For addresses that somebody else has named."""
    transport = GuardedTransport(authorities, allows_private=allows_private)
    return httpx2.AsyncClient(transport=transport, timeout=None, cookies=_no_cookies())


def _no_cookies() -> CookieJar:
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))
