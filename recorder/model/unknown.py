"""What somebody wrote and nothing here knows: said with what was probably meant.  Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from recorder.errors import BadDocument

Json: TypeAlias = Mapping[str, Any]
"""A mistake as pydantic tells it, or a part of a JSON schema."""

_SAID = {
    "extra_forbidden": "no such field",
    "missing": "is missing",
    "dict_type": "must be a map",
    "model_type": "must be a map",
    "model_attributes_type": "must be a map",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_type": "must be text",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
}
"""What kinds of mistakes are called for people, by what pydantic calls them."""


_ELSEWHERE = {
    "from": "start",
    "since": "start",
    "begin": "start",
    "to": "end",
    "until": "end",
    "till": "end",
    "time": "at",
    "timestamp": "at",
    "when": "at",
}
"""What other programs call what is said here by another name: spelling would find a third."""


def meant(name: object, known: Iterable[str], there: str = "there are") -> str:
    """Say what was probably meant by a name that nobody knows, and which there are.

    >>> meant("gruop", ["label", "group"])
    'did you mean group? there are label, group'
    """
    known = list(known)
    said = str(name)
    other = _ELSEWHERE.get(said, said)
    near = difflib.get_close_matches(other if other in known else said, known, 1)
    begin = f"did you mean {near[0]}? " if near else ""
    return f"{begin}{there} {', '.join(known) or 'none'}"


def check_rest(body: Mapping[str, object], known: Iterable[str], path: str = "") -> None:
    """Refuse what is left of a document when all that is known was taken out of it.

    Raises: ``BadDocument`` naming the field by its path, with what there is.
    """
    if body:
        first = min(map(str, body))
        raise BadDocument(f"{path}{first[:64]}: no such field", hint=meant(first, known))


def told(errors: Sequence[Json], schema: Json) -> list[tuple[str, str]]:
    """Say what is wrong, by path, each with a hint, in words of people.

    What is written and unknown comes first: what is missing is often that.
    ``errors`` are pydantic's; ``schema``: of what was read, with descriptions.
    """
    order = sorted(errors, key=lambda one: one["type"] != "extra_forbidden")
    return [_told(one, schema) for one in order]


def in_words(error: Json) -> str:
    """Say one of pydantic's mistakes in words of people.

    >>> in_words({"type": "missing", "msg": "Field required"})
    'is missing'
    >>> in_words({"type": "greater_than_equal", "msg": "Input should be greater than 1"})
    'should be greater than 1'
    """
    said = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    said = said.removeprefix("Input ")
    return _SAID.get(error["type"], f"{said[:1].lower()}{said[1:]}")


def _told(error: Json, schema: Json) -> tuple[str, str]:
    where = tuple(error["loc"])
    path = ".".join(str(part)[:64] for part in where) or "document"
    said = in_words(error)
    if error["type"] == "extra_forbidden":
        return f"{path}: {said}", meant(where[-1], _fields(schema, where[:-1]))
    kinds = _at(schema, where) if error["type"] in _SAID else []
    return f"{path}: {said}", next(
        (one["description"] for one in kinds if "description" in one), ""
    )


def _fields(schema: Json, path: Sequence[object]) -> list[str]:
    """Return the fields there are at a path."""
    return [name for one in _at(schema, path) for name in one.get("properties", {})]


def _at(schema: Json, path: Sequence[object]) -> list[Json]:
    """Return the schemas of a path: those that may stand there."""
    found = _choices(schema, schema)
    for part in path:
        found = [
            choice
            for one in found
            for inner in _inner(one, part)
            for choice in _choices(inner, schema)
        ]
    return found


def _inner(one: Json, part: object) -> list[Json]:
    if part in one.get("properties", {}):
        return [one["properties"][part]]
    within = one.get("items" if isinstance(part, int) else "additionalProperties")
    return [within] if isinstance(within, Mapping) else []


def _choices(one: Json, schema: Json) -> list[Json]:
    """Return a schema's alternatives, references followed; first what is said of them all."""
    named = one.get("$ref", "").rpartition("/")[2]
    more = [
        *one.get("anyOf", ()),
        *one.get("allOf", ()),
        *([schema["$defs"][named]] if named else ()),
    ]
    return [one, *(each for inner in more for each in _choices(inner, schema))]
