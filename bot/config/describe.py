"""What a place in the file may hold, in words, read from the JSON Schema of the settings behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.config.locate import Loc

Schema = Mapping[str, Any]

REFERENCES = '"env:NAME", "file:PATH" or "credential:NAME"'
_PATTERNS = {r"^https?://": "an address that begins with http:// or https://"}
_PLAIN = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a table of keys and values",
}


def expected(schema: Schema, loc: Loc = ()) -> str:
    """What may stand at `loc`: "a whole number of at least 1", "a list of text". Empty if that is unknown."""
    words = (_words(choice, schema) for choice in _at(schema, loc))
    return " or ".join(dict.fromkeys(word for word in words if word))


def known_keys(schema: Schema, loc: Loc = ()) -> list[str]:
    """The keys that the table at `loc` may hold, where they are fixed."""
    return [
        key
        for choice in _at(schema, loc)
        for key in (*choice.get("properties", {}), *choice.get("propertyNames", {}).get("enum", ()))
    ]


def is_secret(schema: Schema, loc: Loc) -> bool:
    """Whether what stands at `loc` must not be shown."""
    return any(choice.get("format") == "password" for choice in _at(schema, loc))


def _at(schema: Schema, loc: Loc) -> list[Schema]:
    """The alternatives for one place, references followed and unions taken apart."""
    choices = list(_choices(schema, schema))
    for step in loc:
        below = (_below(choice, step) for choice in choices)
        choices = [choice for found in below if found is not None for choice in _choices(found, schema)]
    return choices


def _choices(schema: Schema, root: Schema) -> Iterator[Schema]:
    if "$ref" in schema:
        yield from _choices(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    elif union := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        for member in union:
            yield from _choices(member, root)
    else:
        yield schema


def _below(schema: Schema, step: str | int) -> Schema | None:
    if isinstance(step, int):
        prefix = schema.get("prefixItems", ())
        found = prefix[step] if step < len(prefix) else schema.get("items")
    else:
        found = schema.get("properties", {}).get(step, schema.get("additionalProperties"))
    return found if isinstance(found, dict) else None


def _words(schema: Schema, root: Schema) -> str:
    if "enum" in schema or "const" in schema:
        return " or ".join(_toml(value) for value in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "")
    if kind == "string":
        return _text(schema)
    if kind == "array":
        choices = _choices(schema.get("items", {}), root)
        items = " or ".join(word for choice in choices if (word := _words(choice, root)))
        return "a list of text" if items == "text" else f"a list, each of it {items}" if items else "a list"
    return _PLAIN[kind] + _bounds(schema) if kind in _PLAIN else ""


def _text(schema: Schema) -> str:
    if schema.get("format") == "password":
        return f"text, or {REFERENCES}"
    if pattern := schema.get("pattern"):
        return _PATTERNS.get(pattern, f"text that matches {pattern}")
    return "text that is not empty" if schema.get("minLength") else "text"


def _bounds(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" from {least:.10g} to {most:.10g}"
    limits = (
        (schema.get("exclusiveMinimum"), "above"),
        (least, "of at least"),
        (schema.get("exclusiveMaximum"), "below"),
        (most, "of at most"),
    )
    said = " and ".join(f"{word} {limit:.10g}" for limit, word in limits if limit is not None)
    return f" {said}" if said else ""


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
