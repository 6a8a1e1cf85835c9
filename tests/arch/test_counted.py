"""How many there are of something is written by one function, so that one is never several."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import recorder
from recorder.model.counting import plural

ROOT = Path(recorder.__file__).parent.parent
COUNTED = re.findall(
    r"\w+",
    """admin batch bundle camera change character checkpoint client clip copy document entry event
    export fault file fragment frame gap grant group hold hour key lease line link manifest mark
    mask minute move node object original part person picture place point request restart row rule
    secret segment site span store stream thing token user version""",
)
SEVERAL = {plural(one) for one in COUNTED}
NOT_NUMBERS = re.compile(r"[A-Z_]+|.*\b(name|pointer)")
"""Constants, which are more than one; names, before a verb."""


def careless(text: str) -> Iterator[str]:
    """Yield what says "1 cameras", or leaves it to the reader: "1 camera(s)".

    Numbers with a format are measured, not counted.
    """
    for item in ast.walk(ast.parse(text)):
        if isinstance(item, ast.Constant) and re.match(r".* \w+\(s\)", str(item.value)):
            yield str(item.value)
        for number, after in _pairs(item):
            said, noun = ast.unparse(number.value), re.match(r" (\w+)", str(after.value))
            plain = number.format_spec is None and number.conversion == -1
            if plain and noun and noun[1] in SEVERAL and not NOT_NUMBERS.fullmatch(said):
                yield f"{{{said}}}{after.value!s}"


def _pairs(item: ast.AST) -> Iterator[tuple[ast.FormattedValue, ast.Constant]]:
    """Yield values of an f-string with the text that comes after each."""
    parts = item.values if isinstance(item, ast.JoinedStr) else []
    for one, two in pairwise(parts):
        if isinstance(one, ast.FormattedValue) and isinstance(two, ast.Constant):
            yield one, two


def test_nothing_printed_says_one_cameras() -> None:
    assert list(careless('f"{len(found)} cameras"')), "else it finds nothing at all"
    assert list(careless('f"{count} gap(s) in it"'))
    found = [
        f"{path.relative_to(ROOT)}: {said}"
        for folder in ("recorder", "policies")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for said in careless(path.read_text())
    ]
    assert found == []
