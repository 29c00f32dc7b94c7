"""Log lines as JSON on stderr: a fixed sentence, and facts beside it; never personal data, at any level.

What libraries say passes through here too, and so does what Python would print by itself. Of both nothing is kept
that may be a value, for nobody knows what it quotes: an error's words a row, the name of a callback its arguments.
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

# Where a value may begin in a message that was put together before it was logged, and with it all that follows.
_VALUE = re.compile(r"""[<>'"(){}\[\]=:@\\\n]""")

log = structlog.get_logger(__name__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from."""
    link: BaseException | None = error
    for _ in range(10):  # a chain may be a circle
        if link is None:
            return
        yield link
        link = link.__cause__


def _place_of_exception(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """What was raised and where, not what it said: an error's words may quote a row, and so an address."""
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else sys.exception()
    if given and error is not None:
        event["raised"] = " from ".join(type(link).__name__ for link in _chain(error))
        event["at"] = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    return event


def _without_values(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """What a library says, not what it says it about; and where it does, for whoever has to know more."""
    record, values = event["_record"], event.pop("positional_args")
    said = record.msg.strip() if isinstance(record.msg, str) else type(record.msg).__name__
    # With values beside it a message is a fixed sentence. Without, they are in it: "Task exception was never
    # retrieved\nfuture: <Task finished exception=DataError('kari@…')>", "Exception in callback send('kari@…')".
    event["event"] = said if values else _VALUE.split(said, maxsplit=1)[0].strip() or "a library has something to say"
    event["source"] = f"{record.pathname}:{record.lineno}"
    return event


_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _place_of_exception,
]


def configure_logs(level: str, stream: TextIO = sys.stderr) -> None:
    """Send our own log lines from this level on, and the warnings of libraries, there: one JSON object a line."""
    structlog.configure(
        processors=[*_PROCESSORS, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            use_get_message=False,
            pass_foreign_args=True,
            foreign_pre_chain=[structlog.stdlib.add_logger_name, _without_values, *_PROCESSORS],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    # Whatever our own level is: at INFO httpx2 names the URL of every request, with its query.
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    # aiosmtpd quotes what the other side said, addresses included.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)


def log_what_nobody_catches() -> None:
    """Let the errors be log lines that Python would print itself, words and all."""
    sys.excepthook = lambda _type, error, _traceback: _log_uncaught(error)
    threading.excepthook = lambda uncaught: _log_uncaught(uncaught.exc_value)
    sys.unraisablehook = lambda uncaught: _log_uncaught(uncaught.exc_value)


def _log_uncaught(error: BaseException | None) -> None:
    log.error("an error that nobody caught", exc_info=error)
