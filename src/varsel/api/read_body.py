"""Read a request body: bounded while it comes in, then leniently into a wire type, as real clients write it.

Real clients differ from each other: member names in any case, enums by name in any case or by number, nulls where
nothing is meant, members that we do not know. The usual spelling is decoded in one go; any other is brought into
the usual one first.
"""

import asyncio
import re
from codecs import BOM_UTF8
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TypeVar, get_args

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from varsel.api.headers import header_value
from varsel.api.wire import AnyRequest
from varsel.errors import InvalidOrder, VarselError
from varsel.orders.order import Channel, ContentType

T = TypeVar("T", bound=AnyRequest)

# The numbers that clients of the original send for names.
_NUMBERED: dict[type[StrEnum], tuple[StrEnum, ...]] = {
    Channel: (Channel.EMAIL, Channel.SMS, Channel.EMAIL_PREFERRED, Channel.SMS_PREFERRED, Channel.EMAIL_AND_SMS),
    ContentType: (ContentType.PLAIN, ContentType.HTML),
}
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_AT_PATH = re.compile(r"(?P<what>.*) - at `(?P<path>[^`]*)`", re.DOTALL)


DEPTH_LIMIT = 32  # levels, as the original; ours have four, and unknown members may have what they like
CHUNK_TIMEOUT = 30.0  # seconds between two pieces of a body


class NotJson(VarselError):
    """The body's content type is not JSON."""


class BodyTooLarge(VarselError):
    """The body is larger than the service takes."""


class BodyTooSlow(VarselError):
    """The client began a body and does not go on."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, read no further than `limit` bytes.

    Raises:
        NotJson: the content type is another one, or none.
        BodyTooLarge: it is larger than `limit`.
        BodyTooSlow: nothing more of it came for a while.
    """
    if header_value(request, b"content-type").split(";")[0].strip().lower() != "application/json":
        raise NotJson("the body is not JSON")
    if int(header_value(request, b"content-length") or "0") > limit:
        raise BodyTooLarge("the body is too large")
    body = bytearray()
    while True:
        message = await _next_message(request.receive)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLarge("the body is too large")
        if not message.get("more_body", False):
            return bytes(body)


async def _next_message(receive: Receive) -> Message:
    """The next piece of the body.

    With a bare timer: asyncio.timeout costs three times as much, and what is waited for is nearly always there.

    Raises:
        BodyTooSlow: it does not come.
    """
    task, is_late = asyncio.current_task(), False

    def give_up() -> None:
        nonlocal is_late
        is_late = task is not None and task.cancel()

    timer = asyncio.get_running_loop().call_later(CHUNK_TIMEOUT, give_up)
    try:
        return await receive()
    except asyncio.CancelledError as error:
        if not is_late or task is None or task.uncancel():
            raise
        raise BodyTooSlow("the body does not come") from error
    finally:
        timer.cancel()


def read_as(body: bytes, wire_type: type[T]) -> T:
    """The body as this wire type.

    Raises:
        InvalidOrder: not JSON, or a member that cannot be read; says where.
    """
    missing = body_is_missing(wire_type)
    body = body.removeprefix(BOM_UTF8)
    if not body.strip():
        raise InvalidOrder({"": ["A non-empty request body is required."], **missing})
    if b"\\u0000" in body and _NUL.search(body):  # the first is a hundred times as fast, and nearly always enough
        # PostgreSQL's text cannot hold it, and no mail can.
        raise InvalidOrder({"$": ["The JSON text must not contain the character U+0000."], **missing})
    try:
        try:
            return msgspec.json.decode(body, type=wire_type)
        except msgspec.ValidationError:
            # Not spelled in the usual way, or wrong: the second reading tells which.
            return _read_again(body, wire_type)
    except msgspec.ValidationError as error:
        raise InvalidOrder({**_where(error), **missing}) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidOrder({"$": [f"The JSON value could not be read: {error}."], **missing}) from error


def _read_again(body: bytes, wire_type: type[T]) -> T:
    raw = msgspec.json.decode(body)
    if _is_deeper_than(raw, DEPTH_LIMIT):
        raise RecursionError(f"deeper than {DEPTH_LIMIT} levels")
    return msgspec.convert(_usual_spelling(raw, wire_type), wire_type)


def _is_deeper_than(value: Any, levels: int) -> bool:
    """Whether objects and arrays stand in each other further than that; never deeper in our own stack."""
    level = [value]
    for _ in range(levels):
        level = [inner for outer in level for inner in _inside(outer)]
    return any(isinstance(value, dict | list) for value in level)


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def body_is_missing(wire_type: type[AnyRequest]) -> dict[str, list[str]]:
    """What the contract adds when the body cannot be read: to its framework the whole parameter is then missing."""
    return {wire_type.parameter: [f"The {wire_type.parameter} field is required."]}


def _where(error: msgspec.ValidationError) -> dict[str, list[str]]:
    match = _AT_PATH.fullmatch(str(error))
    what, path = (match["what"], match["path"]) if match else (str(error), "$")
    return {path: [f"The JSON value could not be converted: {what}. Path: {path}."]}


def _usual_spelling(value: Any, wanted: Any) -> Any:
    """The same JSON value with member names and enum names as the wire type has them; unknown members dropped."""
    if isinstance(value, dict) and (struct := _one_of(wanted, msgspec.Struct)):
        return _usual_members(value, struct)
    if isinstance(value, list):
        elements = [get_args(option)[0] for option in _options(wanted) if _is_list(option)]
        return [_usual_spelling(item, elements[0]) for item in value] if elements else value
    if enum := _one_of(wanted, StrEnum):
        return _usual_name(value, enum)
    return value


def _usual_members(value: dict[str, Any], struct: type[msgspec.Struct]) -> dict[str, Any]:
    fields = {field.encode_name.lower(): field for field in msgspec.structs.fields(struct)}
    members: dict[str, Any] = {}
    for name, member in value.items():
        field = fields.get(name.lower())
        if field is None:
            continue
        members.pop(field.encode_name, None)  # of a member that is given twice the last one counts
        if member is not None or not _may_be_absent(field):
            members[field.encode_name] = _usual_spelling(member, field.type)
    return members


def _may_be_absent(field: msgspec.structs.FieldInfo) -> bool:
    """Whether null means "not given" here; elsewhere it is an error that the wire type reports."""
    return (type(None) in _options(field.type) and field.default is None) or _one_of(field.type, StrEnum) is not None


def _usual_name(value: Any, enum: type[StrEnum]) -> Any:
    numbered = _NUMBERED[enum]
    if isinstance(value, str):
        by_name = {str(member).lower(): member for member in enum}
        if value.strip().lower() in by_name:
            return by_name[value.strip().lower()]
        value = int(value) if re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) else value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(numbered):
        return numbered[value]
    return value


def _one_of(wanted: Any, kind: type[Any]) -> Any:
    """The option of a type that is a subclass of `kind`, if it has one."""
    return next((option for option in _options(wanted) if isinstance(option, type) and issubclass(option, kind)), None)


def _options(wanted: Any) -> tuple[Any, ...]:
    return (wanted,) if _is_list(wanted) else get_args(wanted) or (wanted,)


def _is_list(wanted: Any) -> bool:
    return getattr(wanted, "__origin__", None) is list
