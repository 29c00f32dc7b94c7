"""A condition endpoint to try orders with: it answers what the asker tells it to, and wants no credential."""

from starlette.requests import Request
from starlette.responses import Response

from varsel.api.problems import json
from varsel.api.wire import SendCondition
from varsel.errors import InvalidOrder

_WORDS = {"true": True, "false": False}


async def get_send_condition(request: Request) -> Response:
    """`GET /tests/sendcondition?conditionMet=`; not given is as good as false, and of several the first counts."""
    given = (value for name, value in request.query_params.multi_items() if name.lower() == "conditionmet")
    return json(SendCondition(_truth_of(next(given, "false"))))


def _truth_of(text: str) -> bool:
    """The boolean that .NET reads, in any letter case and with space around it.

    Raises:
        InvalidOrder: it is none, said in the words that the original's framework has for it.
    """
    word = text.strip().lower()
    if word not in _WORDS:
        raise InvalidOrder({"conditionMet": [f"The value '{text}' is {'not valid' if word else 'invalid'}."]})
    return _WORDS[word]
