"""Log lines as JSON on stderr: a fixed sentence, and facts beside it; never personal data, at any level."""

import logging
import sys
import traceback
from collections.abc import Iterator
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict


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
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_PROCESSORS],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    # aiosmtpd quotes what the other side said, addresses included.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)
