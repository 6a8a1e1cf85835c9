"""What the documents say to type is what there is to type."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from policies.read import parse_policy
from recorder.cli import recorder
from recorder.config import Settings
from recorder.model.camera_document import parse_camera

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
MADE = ROOT / "docs/reference"
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.M | re.S)
_COMMAND = re.compile(r"^ {4,}(?:\$ |sudo (?:-u \w+ )?)?(?:\S*/)?(recorder .*)$", re.M)


def commands(text: str) -> Iterator[str]:
    """Yield what a page says to type that begins with ``recorder``."""
    shell = "".join(
        re.sub(r"^", "    ", body, flags=re.M)
        for kind, body in _FENCE.findall(text)
        if kind in ("", "sh", "bash")
    )
    text = (_FENCE.sub("", text) + "\n" + shell).replace("\\\n", " ")
    yield from _COMMAND.findall(text)


def parse(line: str) -> None:
    """Have click read a command line, and do nothing."""
    words = shlex.split(re.split(r" [|>] ", line)[0], comments=True)[1:]
    group: click.Command = recorder
    context = click.Context(recorder, info_name="recorder")
    rest = list(words)
    while isinstance(group, click.Group):
        with group.make_context(context.info_name, rest, resilient_parsing=False) as made:
            rest = [*made._protected_args, *made.args]
            if not rest and group.invoke_without_command:
                return
            _, found, rest = group.resolve_command(made, rest)
        assert found is not None
        group, context = found, made
    group.make_context(group.name, rest, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_the_documents_is_one(page: Path) -> None:
    if page.parent == MADE:
        return
    for line in commands(page.read_text()):
        try:
            parse(line)
        except click.UsageError as exc:
            if "does not exist" not in exc.format_message():  # a file that the reader makes
                raise AssertionError(f"{page.name}: {line}: {exc.format_message()}") from exc


def test_every_command_that_is_named_in_a_sentence_is_one() -> None:
    for page in (*PAGES, ROOT / "docs/operate/alerts.yaml"):
        for words in re.findall(r"`recorder ((?:[a-z]+ ?)+)", page.read_text()):
            group: click.Command | None = recorder
            for word in words.split():
                if not isinstance(group, click.Group):
                    break
                group = group.get_command(click.Context(group), word)
                assert group is not None, f"{page.name}: recorder {words}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_policies_and_cameras_in_the_documents_are_good(page: Path) -> None:
    for kind, body in _FENCE.findall(page.read_text()):
        if kind != "yaml":
            continue
        document = yaml.safe_load(body)
        if "rules" in document:
            parse_policy(document)
        elif {"streams", "record", "timetable"} & set(document):
            reached = {} if "streams" in document else {"url": "rtsp://10.0.0.7/x"}
            parse_camera("gate", reached | document)
        else:
            Settings(**document)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_row_of_a_table_is_in_one(page: Path) -> None:
    lines = ["", *_FENCE.sub("", page.read_text()).split("\n"), ""]
    for before, line, after in zip(lines, lines[1:], lines[2:], strict=False):
        begins = line.startswith("|") and not before.startswith("|")
        assert not begins or re.fullmatch(r"\|[\s:|-]+\|", after), f"{page.name}: {line}"


def test_the_reference_is_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/reference.py", "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
