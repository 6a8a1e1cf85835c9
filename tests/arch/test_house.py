"""The house rules that no other tool checks."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import recorder
from recorder import errors, telemetry

ROOT = Path(recorder.__file__).parent.parent


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (ROOT / folder).rglob("*.py")


def test_lines_are_laid_out_by_the_formatter_but_for_a_few_tables() -> None:
    laid = [
        path
        for path in modules("recorder", "policies")
        for _ in path.read_text().split("# fmt: skip")[1:]
    ]
    assert len(laid) <= 20, sorted({path.name for path in laid})


TWIN = "_scan_py.py"
"""Function by function what the compiled scan is."""


def body_lines(item: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function's body, but for its docstring."""
    first, *_ = item.body
    said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    begin = (first.end_lineno or 0) + 1 if said else first.lineno
    return (item.end_lineno or 0) - begin + 1


def test_files_and_functions_stay_small() -> None:
    """A step of the schema is one long list of columns; tests may be half as long again."""
    large = []
    for path in modules("recorder", "policies", "tests", "bench"):
        own = path.relative_to(ROOT).parts[0] in ("recorder", "policies")
        text = path.read_text()
        if text.count("\n") > (300 if own else 500):
            large.append(f"{path.name}: {text.count(chr(10))} lines")
        for item in ast.walk(ast.parse(text)):
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                most = 40 if own and path.name != TWIN else 60
                if body_lines(item) > most and "steps" not in path.parts:
                    large.append(f"{path.name}: {item.name}: {body_lines(item)} lines")
    pyx = (ROOT / "recorder/_index.pyx").read_text().count("\n")
    assert pyx <= 700
    assert large == []


def test_no_module_is_a_hub_by_name() -> None:
    hubs = {"utils", "helpers", "common", "manager", "handler", "core", "misc"}
    assert [path for path in modules("recorder", "policies") if path.stem in hubs] == []


def test_footers_are_read_from_an_object_s_end_in_one_place() -> None:
    """But where all of a file is in memory: a probe's."""
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in modules("recorder", "policies")
        if re.search(r"\b(read_footer|tail_needed)\b", path.read_text())
    }
    allowed = {"recorder/bmff/footer.py", "recorder/segment/tail.py", "recorder/capture/probe.py"}
    assert readers == allowed


def test_where_a_copy_lies_is_read_and_written_in_one_module() -> None:
    """Nobody else spells a place, or takes one apart."""
    spelled = re.compile(r"^spool:(?! )|^\.\./?$|^%/%$")
    taken = re.compile(
        r"""[\"'][/:.]+["'] (not )?in \w*\.?place\b"""
        r"|/\{(\w+\.)?place\}"
        r"|(?<!\bc\.)\bplaces?\.(split|r?partition|count|startswith|endswith|remove(pre|suf)fix)\("
    )
    found = []
    for path in modules("recorder", "policies"):
        if path == ROOT / "recorder/model/places.py":
            continue
        text = path.read_text()
        for item in ast.walk(ast.parse(text)):
            said = item.value if isinstance(item, ast.Constant) else None
            if isinstance(said, str) and spelled.match(said):
                found.append(f"{path.relative_to(ROOT)}:{getattr(item, 'lineno', 0)}: {said!r}")
        found += [f"{path.relative_to(ROOT)}: {one[0]}" for one in taken.finditer(text)]
    found = [one for one in found if not one.startswith("recorder/model/keys.py")]
    assert found == [], "a key may not hold '..': that is all that stores know of it"


def test_every_error_says_what_the_caller_should_do() -> None:
    def below(kind: type[Any]) -> Iterator[type[Any]]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    drawn = errors.__doc__ or ""
    for one in below(errors.RecorderError):
        assert one.__name__ in drawn, f"{one.__name__} is not in the drawn tree"
        assert one.__doc__


def test_every_command_that_answers_can_answer_in_json() -> None:
    import click

    from recorder.cli import recorder as commands

    def leaves(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            if isinstance(command, click.Group):
                yield from leaves(command, f"{path}{name} ")
            else:
                yield path + name, command

    mute = {
        name
        for name, command in leaves(commands, "")
        if "--json" not in [text for option in command.params for text in option.opts]
    }
    assert mute == {"serve", "demo"}


def test_causes_and_conditions_are_in_the_glossary() -> None:
    from recorder.capture.lines import ADVICE, HABITS
    from recorder.model.causes import Cause

    text = (ROOT / "docs/operate/conditions.md").read_text()
    for word in (*Cause, *ADVICE, *HABITS):
        assert f"`{word}`" in text


def test_documents_point_only_to_what_exists() -> None:
    broken = []
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), ROOT / "bench/README.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.name} -> {target}")
    assert broken == []


def test_nothing_committed_names_this_machine_or_puts_off() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    words = re.compile("TO" + "DO|FIX" + "ME|/wo" + "rk/|pytest\\.mark\\.sk" + "ip")
    found = []
    for name in listed.stdout.split():
        path = ROOT / name
        if path.suffix in (".py", ".pyx", ".md", ".toml", ".yaml", ".sh") and path.exists():
            found += [name for line in path.read_text().splitlines() if words.search(line)]
    assert found == []


def test_the_compiled_index_leaves_directives_to_setup() -> None:
    head = (ROOT / "recorder/_index.pyx").read_text().splitlines()[0]
    assert head == "# cython: language_level=3"


def test_the_map_of_the_rooms_names_each_in_the_order_of_the_contract() -> None:
    assert recorder.__doc__ is not None
    mapped = re.findall(r"^    (\w+)  +\S", recorder.__doc__, re.MULTILINE)
    folder = {
        path.stem
        for path in (ROOT / "recorder").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem[0] != "_"
    }
    assert sorted(mapped) == sorted(folder)
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = contract["tool"]["importlinter"]["contracts"][0]["layers"]
    floor = {
        name.removeprefix("recorder."): number
        for number, layer in enumerate(layers)
        for name in layer.split(" | ")
    }
    heights = [floor[name] for name in mapped]
    assert heights == sorted(heights)


@functools.cache
def metric_names() -> set[str]:
    """Return every name that Prometheus is shown, a counter's with its ``_total``."""
    given = {family.name: family.type for family in telemetry.REGISTRY.collect()}
    capture = (ROOT / "recorder/metrics.py").read_text()
    names = {
        one for name in re.findall(r'"(recorder_\w+)"', capture) for one in (name, f"{name}_total")
    }
    names |= {f"{name}_total" if kind == "counter" else name for name, kind in given.items()}
    return names | {f"{name}_bucket" for name, kind in given.items() if kind == "histogram"}


def test_every_metric_that_an_alert_or_a_page_names_is_one() -> None:
    """Of pages those in backticks; an alert on what is not there never rings."""
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "docs/operate/alerts.yaml"]
    for page in pages:
        text = page.read_text()
        found = re.findall(r"`(recorder_\w+?)(?:\{[^`]*)?`", text)
        if page.suffix == ".yaml":
            found = re.findall(r"\brecorder_\w+", text)
            assert len(set(found)) > 15
        for name in set(found):
            assert name in metric_names(), f"{page.name}: {name}"


def test_the_laws_name_tests_and_metrics_that_there_are() -> None:
    text = (ROOT / "docs/design/laws.md").read_text()
    tests = "".join(path.read_text() for path in modules("tests"))
    for name in set(re.findall(r"`(test_\w+)`", text)):
        assert f"def {name}(" in tests, name
    for name in set(re.findall(r"`(recorder_\w+)`", text)):
        assert name in metric_names(), name


def test_the_conventions_name_modules_that_there_are() -> None:
    text = (ROOT / "docs/conventions.md").read_text()
    for name in set(re.findall(r"`((?:recorder|policies)/[\w/.]+)`", text)):
        assert (ROOT / name).exists(), name


def test_no_port_has_more_than_ten_methods() -> None:
    for path in modules("recorder/ports"):
        for item in ast.parse(path.read_text()).body:
            if isinstance(item, ast.ClassDef):
                methods = [one for one in item.body if isinstance(one, ast.FunctionDef)]
                assert len(methods) <= 10, f"{item.name}: {len(methods)}"


def test_only_the_janitor_can_delete() -> None:
    # who makes stores, who tries them, and what stands around each
    allowed = {
        "recorder/app/app.py",
        "recorder/made.py",
        "recorder/store/probe.py",
        "recorder/store/watched.py",
    }
    for path in modules("recorder"):
        name = path.relative_to(ROOT).as_posix()
        if name in allowed or name.startswith(
            ("recorder/janitor/", "recorder/ports/", "recorder/catalog/")
        ):
            continue
        words = set(re.findall(r"\w+", path.read_text()))
        assert not words & {"DeletableStore", "Deletion"}, name


def test_nothing_runs_in_the_shared_pool_of_threads() -> None:
    for path in modules("recorder"):
        text = path.read_text()
        if "demo" in path.name:
            continue  # shows a table, and nothing else runs beside it
        assert "to_thread(" not in text, path.name
        assert "run_in_executor(None" not in text, path.name
