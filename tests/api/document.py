"""The service's own OpenAPI document, and judging by it."""

from collections.abc import Iterator
from typing import Any

import httpx2
from jsonschema import Draft202012Validator, FormatChecker

from varsel.api.openapi.document import build_document
from varsel.api.openapi.pieces import Json

DOCUMENT = build_document("http://varsel.test")
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def operations() -> Iterator[tuple[str, str, Json]]:
    """Every method of every path."""
    for path, item in DOCUMENT["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method, path, item[method]


def found(piece: Json) -> Json:
    """What a reference refers to."""
    target: Any = DOCUMENT
    for name in piece.get("$ref", "").split("/")[1:]:
        target = target[name]
    return target if "$ref" in piece else piece


def judge(schema: Json | bool, *, is_strict: bool = False) -> Draft202012Validator:
    """Judges by this schema; strictly: formats too, and no member that the document does not name."""
    schemas = DOCUMENT["components"]["schemas"]
    if is_strict:
        schemas = {name: {"additionalProperties": False, **schema} for name, schema in schemas.items()}
    formats = FormatChecker() if is_strict else None
    return Draft202012Validator({"allOf": [schema], "components": {"schemas": schemas}}, format_checker=formats)


def assert_documented(answer: httpx2.Response, method: str, path: str) -> None:
    """The answer is one of those that the document has for the operation, to the last member and header."""
    answers = DOCUMENT["paths"][path][method]["responses"]
    assert str(answer.status_code) in answers
    documented = found(answers[str(answer.status_code)])
    for name, header in documented.get("headers", {}).items():
        is_number = header["schema"]["type"] == "integer"
        judge(header["schema"]).validate(int(answer.headers[name]) if is_number else answer.headers[name])
    if "content" not in documented:
        assert answer.content == b""
        return
    media_type = answer.headers["Content-Type"].partition(";")[0]
    content = answer.json() if media_type == "application/json" else answer.text
    judge(documented["content"][media_type]["schema"], is_strict=True).validate(content)
