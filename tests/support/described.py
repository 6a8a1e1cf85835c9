"""Holds answers to the description of the API: a small reader of its schemas, strict in names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


class Described:
    """An OpenAPI document."""

    def __init__(self, document: Schema) -> None:
        self.document = document

    def operations(self) -> Iterator[tuple[str, str, Schema]]:
        """Path, method, operation."""
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield path, method, operation

    def of(self, schema: Schema) -> Schema:
        """A schema, followed to where it is said."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            found: Schema = self.document["components"]["schemas"][name]
            return found
        return schema

    def misfits(self, value: Any, schema: Schema, at: str = "body") -> list[str]:
        """Where a value is not as the schema says, or has what it does not say."""
        schema = self.of(schema)
        if "anyOf" in schema:
            tried = [self.misfits(value, one, at) for one in schema["anyOf"]]
            return [] if [] in tried else min(tried, key=len)
        if not _is(value, schema.get("type")):
            return [f"{at}: {value!r} is no {schema.get('type')}"]
        if isinstance(value, list):
            items = schema.get("items", {})
            found = (self.misfits(one, items, f"{at}[{i}]") for i, one in enumerate(value))
            return [said for one in found for said in one]
        return self._misfits_in(value, schema, at) if isinstance(value, dict) else []

    def _misfits_in(self, value: Schema, schema: Schema, at: str) -> list[str]:
        known, more = schema.get("properties", {}), schema.get("additionalProperties", False)
        said = [f"{at}.{name}: missing" for name in schema.get("required", ()) if name not in value]
        for name, one in value.items():
            if name in known:
                said += self.misfits(one, known[name], f"{at}.{name}")
            elif isinstance(more, dict):
                said += self.misfits(one, more, f"{at}.{name}")
            elif not more:
                said.append(f"{at}.{name}: is not in the description")
        return said

    def free(self, schema: Schema, at: str, seen: tuple[str, ...] = ()) -> Iterator[str]:
        """Paths of what may be anything."""
        if schema.get("$ref", "") in seen:
            return
        seen += (schema["$ref"],) if "$ref" in schema else ()
        schema = self.of(schema)
        if not schema.keys() & {"type", "anyOf", "enum", "const"}:
            yield at
        for one in schema.get("anyOf", ()):
            yield from self.free(one, at, seen)
        if schema.get("type") == "array":
            yield from self.free(schema.get("items", {}), f"{at}[]", seen)
        if schema.get("type") == "object":
            more = schema.get("additionalProperties", {} if not schema.get("properties") else False)
            if more is True or more == {}:
                yield at
            elif more:
                yield from self.free(more, f"{at}.*", seen)
            for name, one in schema.get("properties", {}).items():
                yield from self.free(one, f"{at}.{name}", seen)


def _is(value: Any, kind: str | None) -> bool:
    kinds: dict[str | None, tuple[type, ...]] = {
        "object": (dict,), "array": (list,), "string": (str,), "integer": (int,),
        "number": (int, float), "boolean": (bool,), "null": (type(None),), None: (object,),
    }  # fmt: skip
    if isinstance(value, bool) and kind not in ("boolean", None):
        return False
    return isinstance(value, kinds[kind])
