"""The pieces that the document is put together from."""

from typing import Any

Json = dict[str, Any]  # an object of the document


def ref(name: str, kind: str = "schemas") -> Json:
    """A reference to this component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def or_null(schema: Json) -> Json:
    """What this schema describes, or null."""
    if "type" in schema:
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]}


def without_null(schema: Json) -> tuple[Json, bool]:
    """A generated member without its default and the null that it may be; whether it may be null."""
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:
        return options[0], True
    return {keyword: value for keyword, value in schema.items() if keyword != "default"}, False
