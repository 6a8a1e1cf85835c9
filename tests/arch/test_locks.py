"""Locks: each is in the table of docs/design/threads.md, and none is held over I/O."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import recorder

ROOT = Path(recorder.__file__).parent
KINDS = {"Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore", "OneAtATime"}
WAITS = set(
    re.findall(
        r"\w+",
        """open read_text read_bytes write_text write_bytes write_durably make_once sync_directory
        fsync unlink rename mkdir rmdir stat iterdir rglob glob head put_file listen connect execute
        begin commit sleep recv send sendall sendfile result _upgrade admit""",
    )
)
"""What a thread may wait in, by the last word of the call."""
ALLOWED = {
    "spool/runs.py": {"mkdir", "rmdir"},  # names alone: nothing is waited for until it is durable
    "spool/disk.py": {"mkdir", "rename"},
    "catalog/database.py": {
        "_upgrade",
        "connect",
        "begin",
    },  # once a schema: nobody can go on before
}


def word(call: ast.expr) -> str:
    """Return the last word of what is called."""
    return call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "")


def locks_in(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the name and the kind of each lock that a module makes."""
    for item in ast.walk(tree):
        if not isinstance(item, ast.Assign):
            continue
        names = [
            name
            for target in item.targets
            for name in (target.elts if isinstance(target, ast.Tuple) else [target])
        ]
        values = item.value.elts if isinstance(item.value, ast.Tuple) else [item.value]
        for name, value in zip(names, values, strict=False):
            if isinstance(value, ast.Call) and word(value.func) in KINDS:
                yield word(name), word(value.func)


def held_over(tree: ast.AST, locks: set[str]) -> Iterator[str]:
    """Yield what is called while a lock is held, also by functions of the module itself."""
    functions = {item.name: item for item in ast.walk(tree) if isinstance(item, ast.FunctionDef)}
    for item in ast.walk(tree):
        if isinstance(item, ast.With) and any(
            word(one.context_expr) in locks for one in item.items
        ):
            todo, seen = list[ast.AST](item.body), set[str]()
            while todo:
                for call in ast.walk(todo.pop()):
                    name = word(call.func) if isinstance(call, ast.Call) else ""
                    if name and name not in seen:
                        seen.add(name)
                        todo += [functions[name]] if name in functions else []
            yield from seen


def modules() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def test_the_table_of_locks_names_those_that_there_are() -> None:
    page = (ROOT.parent / "docs/design/threads.md").read_text()
    rows = re.findall(r"^\| (`.+?) \|", page.split("## Locks")[1], re.MULTILINE)
    said = {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}
    made = {
        f"{name.removesuffix('.py').replace('/', '.')}.{lock}"
        for name, tree in modules()
        for lock, _ in locks_in(tree)
    }
    assert said == made


def test_no_lock_is_held_over_what_may_wait() -> None:
    probe = ast.parse(
        "def f(self):\n with self._lock:\n  self.g()\ndef g(self):\n self.store.head()"
    )
    assert "head" in set(held_over(probe, {"_lock"})), "else it finds nothing at all"
    for name, tree in modules():
        locks = {lock for lock, kind in locks_in(tree) if kind != "OneAtATime"}
        locks |= {"_folders", "_wake"} if name.startswith(("spool/", "ingest/")) else set()
        waits = set(held_over(tree, locks)) & WAITS
        assert waits <= ALLOWED.get(name, set()), f"{name}: {waits}"
