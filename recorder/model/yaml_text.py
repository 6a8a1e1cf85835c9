"""Documents that people write as YAML: read once, and each key of them only once.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from recorder.errors import BadDocument


def read_yaml(text: str, what: str) -> Any:
    """Read a document; ``None`` where there is nothing in it.

    Raises: ``BadDocument`` when it is no YAML, or a key stands in it twice: one of the two would
    count, and nobody could say which is meant.  Nothing else of it is shown: it may hold secrets.
    """
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as exc:
        line = text.count("\n", 0, exc.position) + 1
        raise BadDocument(f"{what}: is not YAML at line {line}: a control character") from exc
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        for path, line in _twice(root, "", set()):
            raise BadDocument(
                f"{what}: {path}: stands twice, again at line {line}", hint="take one of them out"
            )
        return loader.construct_document(root)
    except yaml.YAMLError as exc:
        raise BadDocument(f"{what}: {where_in_yaml(exc)}") from exc
    except (ValueError, TypeError, RecursionError) as exc:  # 2026-13-45; a list as a key
        raise BadDocument(f"{what}: is not YAML: {type(exc).__name__}") from exc
    finally:
        loader.dispose()


def where_in_yaml(exc: yaml.YAMLError | UnicodeDecodeError) -> str:
    """Say where a text is no YAML, and nothing of it: it may hold secrets."""
    mark = getattr(exc, "problem_mark", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    return f"is not YAML{place}"


def _twice(node: yaml.Node, path: str, seen: set[int]) -> Iterator[tuple[str, int]]:
    """Yield path and line of each key that is there already."""
    if id(node) in seen:  # an alias
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield from _twice(item, f"{path}{i}.", seen)
    if not isinstance(node, yaml.MappingNode):
        return
    known: set[str] = set()
    for key, value in node.value:
        name = str(key.value)[:64] if isinstance(key, yaml.ScalarNode) else ""
        if name and name in known:
            yield f"{path}{name}", key.start_mark.line + 1
        known.add(name)
        yield from _twice(value, f"{path}{name}.", seen)
