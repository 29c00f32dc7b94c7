"""The schemas of requests: where a wire type is brought in line with what is really read, in one step, `as_read`.

A type says which members there are, and that is not all. Bodies are read more widely than their types (`read_body`:
names in any letter case, numbers for names, members that nobody knows) and checked more narrowly (`check_order`: what
must be given, and how). What JSON Schema has no words for is said in the document's text: that the names of members
are taken in any letter case, and which addresses, hosts and times are good.
"""

from collections.abc import Mapping
from enum import StrEnum

from varsel.api.openapi.pieces import Json, or_null, ref, without_null
from varsel.orders.order import Channel, ContentType

_TEXT: Json = {"type": "string", "pattern": r"\S"}
_GIVEN: Json = {"type": "string", "minLength": 1}
_NOT_GIVEN: Json = {"enum": [None, ""]}
_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$"
_PUBLIC_URL = r"^\s*[Hh][Tt][Tt][Pp][Ss]?://([^/?#]*@)?[A-Za-z0-9.-]+\.[A-Za-z]{2,}(:\d*)?([/?#].*)?$"


def as_read(name: str, schema: Json) -> Json:
    """The schema of a request as it is read and checked; members that it does not name are ignored, so allowed."""
    members: dict[str, Json] = {}
    for member, generated in schema["properties"].items():
        plain, may_be_null = without_null(generated)
        members[member] = or_null(plain) if may_be_null else plain
    return {
        "title": name,
        "description": schema["description"],
        "type": "object",
        "properties": {**members, **_MEMBERS[name]},
        **_RULES[name],
    }


def _choice(enum: type[StrEnum], *taken: StrEnum) -> Json:
    """What is read as one of these: its name, or the number of its place in the enum, as a number or as a text."""
    numbers = [list(enum).index(member) for member in taken]
    names = "|".join(map(_in_any_case, taken))
    digits = "".join(map(str, numbers))
    return {
        "anyOf": [
            {"title": "by name", "type": "string", "enum": [str(member) for member in taken]},
            {"title": "in any letter case", "type": "string", "pattern": rf"^(\s*({names})\s*|0{{0,8}}[{digits}])$"},
            {"title": "by number", "type": "integer", "enum": numbers},
        ]
    }


def _in_any_case(name: str) -> str:
    return "".join(f"[{letter.upper()}{letter.lower()}]" for letter in name)


_CONTENT_TYPE = or_null(_choice(ContentType, *ContentType))
_OF_EVERY_ORDER: Mapping[str, Json] = {
    "recipients": {"type": "array", "minItems": 1, "items": ref("RecipientRequest")},
    # Seconds may be left out, so this is a little wider than RFC 3339; the format is for those who generate clients.
    "requestedSendTime": {"type": "string", "format": "date-time", "pattern": _TIME},
    "conditionEndpoint": or_null({"type": "string", "pattern": _PUBLIC_URL}),
}
_MEMBERS: Mapping[str, Mapping[str, Json]] = {
    "EmailOrderRequest": {**_OF_EVERY_ORDER, "subject": _TEXT, "body": _TEXT, "contentType": _CONTENT_TYPE},
    "OrderRequest": {
        **_OF_EVERY_ORDER,
        "notificationChannel": _choice(Channel, Channel.EMAIL),
        "emailTemplate": ref("EmailTemplateRequest"),
    },
    "EmailTemplateRequest": {
        "fromAddress": {"type": "string"},
        "subject": _TEXT,
        "body": _TEXT,
        "contentType": _CONTENT_TYPE,
    },
    "RecipientRequest": {
        "nationalIdentityNumber": or_null({"type": "string", "pattern": "^([0-9]{11})?$"}),
        "organizationNumber": or_null({"type": "string", "pattern": "^([0-9]{9})?$"}),
    },
}


def _reached(title: str, by: str, how: Json, *never_with: str) -> Json:
    members = {by: how} | dict.fromkeys(never_with, _NOT_GIVEN)
    return {"title": title, "type": "object", "required": [by], "properties": members}


# What must be given, and what ties members together.
_ACTION_NEEDS_RESOURCE: Json = {
    "if": {"required": ["resourceAction"], "properties": {"resourceAction": _GIVEN}},
    "then": {"required": ["resourceId"], "properties": {"resourceId": _TEXT, "resourceAction": _TEXT}},
}
_EMAIL, _MOBILE = "emailAddress", "mobileNumber"
_PERSON, _ORGANIZATION = "nationalIdentityNumber", "organizationNumber"
_RULES: Mapping[str, Json] = {
    "EmailOrderRequest": {"required": ["recipients", "subject", "body"], **_ACTION_NEEDS_RESOURCE},
    "OrderRequest": {"required": ["recipients", "notificationChannel", "emailTemplate"], **_ACTION_NEEDS_RESOURCE},
    "EmailTemplateRequest": {"required": ["subject", "body"]},
    "RecipientRequest": {
        "anyOf": [
            # RFC 6531 rather than 5321: æ, ø and å are taken.
            _reached("by address", _EMAIL, _GIVEN | {"format": "idn-email"}, _PERSON, _ORGANIZATION),
            _reached("a person", _PERSON, _GIVEN, _EMAIL, _MOBILE, _ORGANIZATION),
            _reached("an organisation", _ORGANIZATION, _GIVEN, _EMAIL, _MOBILE, _PERSON),
        ]
    },
}
