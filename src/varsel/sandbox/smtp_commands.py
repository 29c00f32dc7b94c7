"""Reads the arguments of MAIL and RCPT: paths, and the parameters of the extensions that we offer.

A parameter is taken only while its extension is offered, so that a client which uses what it was not offered
gets the 555 that a real server would give it (RFC 5321 section 4.1.1.11).
"""

import re
from collections.abc import Collection, Mapping
from typing import Literal, cast

from varsel.sandbox.handler import Envelope, Recipient, Reply

EXTENSIONS = ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")

# Parameter -> the extension that brings it.
MAIL_PARAMETERS = {"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8", "RET": "DSN", "ENVID": "DSN"}
RCPT_PARAMETERS = {"NOTIFY": "DSN", "ORCPT": "DSN"}

ENVID_LENGTH = 100  # characters as sent, RFC 3461 section 4.4
NOTIFY_WORDS = {"SUCCESS", "FAILURE", "DELAY"}

# No control characters and line separators anywhere: addresses are written into the reports' headers.
_PATH = r'<(?P<path>(?:"(?:\\[ -~]|[^"\\\x00-\x1f\x7f-\x9f\u2028\u2029])*"|[^<>"\s\x00-\x1f\x7f-\x9f])*)>'
_FROM = re.compile(rf"FROM:\s*{_PATH}(?P<parameters>(?: +\S+)*) *", re.IGNORECASE)
_TO = re.compile(rf"TO:\s*{_PATH}(?P<parameters>(?: +\S+)*) *", re.IGNORECASE)
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")

_BAD_SYNTAX = Reply(501, "5.5.4 Syntax error in the arguments")
_BAD_PARAMETER = Reply(501, "5.5.4 Bad value of a parameter")


def read_mail(argument: str, extensions: Collection[str], *, size_limit: int) -> Envelope | Reply:
    """The envelope that `FROM:<…> …` opens, or why it opens none."""
    match = _FROM.fullmatch(argument)
    parameters = _parameters(match["parameters"]) if match else None
    if match is None or parameters is None:
        return _BAD_SYNTAX
    if unknown := _unknown(parameters, MAIL_PARAMETERS, extensions):
        return Reply(555, f"5.5.4 Unsupported option: {unknown}")
    if not match["path"].isascii() and "SMTPUTF8" not in parameters:
        return Reply(550, "5.6.7 Non-ASCII address without SMTPUTF8")
    try:
        if _size(parameters.get("SIZE")) > size_limit:
            return Reply(552, "5.3.4 Message size exceeds fixed limit")
        return _envelope(match["path"], parameters)
    except ValueError:
        return _BAD_PARAMETER


def read_recipient(argument: str, extensions: Collection[str], *, smtputf8: bool) -> Recipient | Reply:
    """The recipient that `TO:<…> …` names, or why it names none."""
    match = _TO.fullmatch(argument)
    parameters = _parameters(match["parameters"]) if match else None
    if match is None or parameters is None or not match["path"]:
        return _BAD_SYNTAX
    if unknown := _unknown(parameters, RCPT_PARAMETERS, extensions):
        return Reply(555, f"5.5.4 Unsupported option: {unknown}")
    if not match["path"].isascii() and not smtputf8:
        return Reply(553, "5.6.7 Non-ASCII address without SMTPUTF8")
    try:
        return Recipient(match["path"], _notify(parameters.get("NOTIFY")), _orcpt(parameters.get("ORCPT")))
    except ValueError:
        return _BAD_PARAMETER


def decode_xtext(text: str) -> str:
    """Undo RFC 3461 section 4: `a+2Bb` is `a+b`.

    Raises:
        ValueError: the text is no xtext, or hides something that is not printable.
    """
    decoded = re.sub(r"\+([0-9A-F]{2})", lambda escape: chr(int(escape[1], 16)), text)
    if not _XTEXT.fullmatch(text) or not decoded.isascii():
        raise ValueError("not xtext")
    return _printable(decoded)


def _parameters(text: str) -> dict[str, str | None] | None:
    """The parameters by their names in capitals, or None when one comes twice."""
    words = [word.partition("=") for word in text.split()]
    parameters = {name.upper(): value if equals else None for name, equals, value in words}
    return parameters if len(parameters) == len(words) else None


def _unknown(parameters: Mapping[str, object], known: Mapping[str, str], extensions: Collection[str]) -> str | None:
    return next((name for name in parameters if known.get(name) not in extensions), None)


def _size(value: str | None) -> int:
    if value is not None and not re.fullmatch("[0-9]{1,20}", value):
        raise ValueError("SIZE is no number")
    return int(value or 0)


def _envelope(sender: str, parameters: Mapping[str, str | None]) -> Envelope:
    _one_of(parameters.get("BODY"), "7BIT", "8BITMIME")
    envid = parameters.get("ENVID")
    if envid is not None and len(envid) > ENVID_LENGTH:
        raise ValueError("ENVID is too long")
    return Envelope(
        sender=sender,
        envid=decode_xtext(envid) if envid is not None else None,
        ret=cast(Literal["FULL", "HDRS"] | None, _one_of(parameters.get("RET"), "FULL", "HDRS")),
        smtputf8="SMTPUTF8" in parameters,
    )


def _one_of(value: str | None, *words: str) -> str | None:
    if value is not None and value.upper() not in words:
        raise ValueError(f"none of {words}")
    return value.upper() if value is not None else None


def _notify(value: str | None) -> frozenset[str]:
    if value is None:
        return frozenset()
    words = frozenset(value.upper().split(","))
    if words != {"NEVER"} and not words <= NOTIFY_WORDS:  # NEVER stands alone, RFC 3461 section 4.1
        raise ValueError("no such NOTIFY")
    return words


def _orcpt(value: str | None) -> str | None:
    if value is None:
        return None
    kind, _, address = value.partition(";")
    if not kind.isascii() or not kind.replace("-", "").isalnum() or not address:
        raise ValueError("ORCPT needs a type and an address")
    if kind.lower() != "utf-8":
        return f"{kind};{decode_xtext(address)}"
    # RFC 6533 section 3 has an escape of its own, made for more than one octet.
    unescaped = re.sub(r"\\x\{([0-9A-F]{2,6})\}", lambda escape: chr(int(escape[1], 16)), address)
    return f"{kind};{_printable(unescaped)}"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds something that is not printable")
    return text
