"""Shapes of bodies, written into the description where they are used."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, WithJsonSchema


def sent_as(kind: Any, example: dict[str, object]) -> WithJsonSchema:
    """Describe a body."""
    found = TypeAdapter(kind).json_schema()
    inlined: dict[str, object] = _inline(found, found.pop("$defs", {}))
    return WithJsonSchema({**inlined, "title": kind.__name__, "examples": [example]})


def _inline(schema: object, known: dict[str, object]) -> Any:
    """Write out what is referred to: names of this schema mean nothing in another document."""
    if isinstance(schema, list):
        return [_inline(one, known) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(known[schema["$ref"].rpartition("/")[2]], known)
    return {key: _inline(one, known) for key, one in schema.items()}
