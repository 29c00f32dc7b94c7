"""Send conditions as a running service asks them, with the settings that a test is about."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2

from varsel.orders.send_condition import ConditionRules, SendConditions
from varsel.outgoing.clients import guarded_client, trusted_client
from varsel.outgoing.credentials import Credentials, Tokens

SCOPE = "altinn:system/notifications.condition.check"
AMPLE = timedelta(seconds=5)  # for a machine under load
MET = b'{"sendNotification":true}'
NOT_MET = b'{"sendNotification":false}'


@asynccontextmanager
async def send_conditions(
    *,
    hosts: Mapping[str, str] | None = None,
    private: bool = False,
    tokens: Tokens | None = None,
    authorities: ssl.SSLContext | None = None,
    within: timedelta = AMPLE,
) -> AsyncIterator[SendConditions]:
    """With connections of their own, which are closed at the end; nobody's certificate is trusted unless given."""
    authorities = authorities or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with (
        guarded_client(authorities, allows_private=private) as guarded,
        trusted_client(authorities, httpx2.Limits()) as trusted,
    ):
        rules = ConditionRules(within, hosts or {})
        yield SendConditions(rules, Credentials(tokens, SCOPE), guarded=guarded, trusted=trusted)
