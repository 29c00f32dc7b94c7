"""Log lines as JSON on stderr: a fixed sentence, and facts beside it; never personal data, at any level."""

import logging
import sys

import structlog


def configure_logs(level: str) -> None:
    """Send our own log lines and those of the libraries to stderr, one JSON object a line."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard library; their warnings matter, their chatter may hold addresses
    # (aiosmtpd logs every envelope at INFO), so it stays out whatever our own level is.
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format='{"level": "%(levelname)s", "event": "%(name)s"}'
    )
