"""docs/design/where.md: a stranger finds each decision, and what it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import recorder

ROOT = Path(recorder.__file__).parent.parent
PAGE = (ROOT / "docs/design/where.md").read_text()
ROWS: list[tuple[str, str]] = [
    row for row in re.findall(r"^\| (.+?) \| (.+) \|$", PAGE, re.MULTILINE) if row[0] != "what"
]


def names_in(path: Path) -> set[str]:
    """Return what a module defines: functions, classes and their methods, constants."""
    found = set()
    for item in ast.parse(path.read_text()).body:
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(item.name)
        if isinstance(item, ast.ClassDef):
            found |= {
                f"{item.name}.{one.name}"
                for one in item.body
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        if isinstance(item, ast.Assign | ast.AnnAssign):
            targets = item.targets if isinstance(item, ast.Assign) else [item.target]
            found |= {one.id for one in targets if isinstance(one, ast.Name)}
    return found


@pytest.mark.parametrize(("what", "where"), ROWS, ids=[what for what, _ in ROWS])
def test_each_decision_is_where_the_page_says(what: str, where: str) -> None:
    path: Path | None = None
    for said in re.findall(r"`([\w./]+)`", where):
        if "/" in said:
            path = ROOT / said
            assert path.exists(), said
        elif path is not None and path.is_file() and said != "blast_radius":
            assert said in names_in(path), f"{path.name}: {said}"
    assert path is not None, what


def test_the_page_is_one_step_from_the_readme_and_the_map() -> None:
    for page in ("README.md", "docs/conventions.md", "recorder/__init__.py"):
        assert "design/where.md" in (ROOT / page).read_text(), page
