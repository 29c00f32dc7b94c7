"""The product's own statements as scripts of pgbench: the one place that knows what each `$n` of them is.

A statement is read from the product by its name. When its parameters change, so do the lines here.
"""

import json
import re
from collections.abc import Sequence
from uuid import UUID

from bench.fill import BLOCK, ORDER_PREFIX, OWNER, PICKS
from bench.unsound import Unsound
from varsel.database.statements import statements
from varsel.notifications.find import PAGE
from varsel.orders.generate import BULK

NEW, NOW = "~new~", "~now~"
TIME_TO_LIVE = "interval '48 hours'"
ADDRESS = "mottaker{}@innbygger.no"
SUBJECT = "Vedtak i saken din"
BODY = "Hei! Vedtaket ligger klart i innboksen din. " * 20

_PARAMETER = re.compile(r"\$(\d+)\b")
_FILLED_ORDER = f"('{ORDER_PREFIX}' || lpad((:n)::bigint::text, 12, '0'))::uuid"

# An id as the product makes it: it ascends with time, so that indexes grow at their end. Microseconds and the client's
# number make it unique; `now()` is the same for all statements of a transaction. Twelve digits follow.
_MICROSECONDS = "(extract(epoch FROM now()) * 1000000)::bigint"
_NEW_PREFIX = (
    f"(lpad(to_hex({_MICROSECONDS} / 1000), 12, '0') || '7' || lpad(to_hex({_MICROSECONDS} % 1000), 3, '0')"
    " || '8' || lpad(to_hex(:client_id::integer), 3, '0'))"
)
_NEW_ORDER = f"({_NEW_PREFIX} || '000000000000')::uuid"


def get_script(recipients: int, blocks: int) -> str:
    """Read what GET reads of an order of this size, picked at random."""
    pick = PICKS[recipients]
    number = f"\\set n {BLOCK} * random(0, {blocks - 1}) + {pick.step} * random(0, {pick.count - 1}) + {pick.start}\n"
    wanted = [f"ARRAY[{_FILLED_ORDER}]", f"ARRAY['{OWNER}']", f"ARRAY['{UUID(int=0)}']", str(PAGE)]
    return number + _filled_in(statements("notifications")["pages_of_orders"], wanted)


def post_script(recipients: int) -> str:
    """Write what POST writes for an order of this size, in one commit."""
    sql = statements("orders")
    if recipients <= BULK:
        return _filled_in(sql["place_orders"], _place_orders(recipients, recipients))
    # All in one packet, so that the yardstick does not pay for going to and fro.
    return "\n".join(
        [
            "\\startpipeline",
            "BEGIN;",
            _filled_in(sql["place_orders"], _place_orders(recipients, 0)),
            _filled_in(sql["generate_notifications"], _generate_notifications(recipients)),
            "COMMIT;",
            "\\endpipeline\n",
        ]
    )


def _place_orders(recipients: int, notifications: int) -> Sequence[str]:
    """One order, with as many of its notifications as this statement makes."""
    order = {
        "id": f"{NEW}000000000000",
        "owner": OWNER,
        "senders_reference": None,
        "requested_send_time": NOW,
        "status": "Processed",
        "channel": "Email",
        "ignore_reservation": None,
        "resource_id": None,
        "resource_action": None,
        "condition_endpoint": None,
        "recipients": [{"email_address": ADDRESS.format(number)} for number in range(recipients)],
        "from_address": "noreply@varsel.test",
        "subject": SUBJECT,
        "body": BODY,
        "content_type": "Plain",
    }
    its_notifications = [
        {"order_id": order["id"], "id": f"{NEW}{number + 1:012}", "recipient_address": ADDRESS.format(number)}
        for number in range(notifications)
    ]
    return [_json([order]), _json(its_notifications), TIME_TO_LIVE]


def _json(rows: Sequence[object]) -> str:
    """With the ids and the time put in by two replacements, far cheaper than to make each by itself.

    The spaces that json.dumps puts behind colons keep pgbench from taking what follows for its variables.
    """
    return f"replace(replace('{json.dumps(rows)}', '{NEW}', {_NEW_PREFIX}), '{NOW}', now()::text)::json"


def _generate_notifications(recipients: int) -> Sequence[str]:
    nothing = _array(["NULL"] * recipients)
    return [
        _NEW_ORDER,
        f"'{OWNER}'",
        "false",
        f"now() + {TIME_TO_LIVE}",
        _new_ids(recipients),
        _addresses(recipients),
        nothing,
        nothing,
        nothing,
        _array(["New"] * recipients),
    ]


def _addresses(count: int) -> str:
    return _array([ADDRESS.format(number) for number in range(count)])


def _recipients_json(recipients: int) -> str:
    return "[" + ",".join(f'{{"email_address":"{ADDRESS.format(number)}"}}' for number in range(recipients)) + "]"


def _new_ids(count: int) -> str:
    """One replacement in a text and one cast: far cheaper than to make each id by itself."""
    ids = ",".join(f"@{number:012}" for number in range(1, count + 1))
    return f"replace('{{{ids}}}', '@', {_NEW_PREFIX})::uuid[]"


def _array(elements: Sequence[str]) -> str:
    return f"'{{{','.join(elements)}}}'::text[]"


def _filled_in(statement: str, expressions: Sequence[str]) -> str:
    """The statement with its parameters replaced; fails loudly where the product's has become another one."""
    wanted = {int(number) for number in _PARAMETER.findall(statement)}
    if wanted != set(range(1, len(expressions) + 1)):
        raise Unsound(
            f"bench/yardstick_sql.py knows {len(expressions)} parameters of: {' '.join(statement.split())[:80]}"
        )
    return _PARAMETER.sub(lambda match: expressions[int(match[1]) - 1], statement.rstrip(";")) + ";\n"
