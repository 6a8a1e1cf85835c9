"""Write docs/reference from the code: settings and commands, as they are.

.venv/bin/python scripts/reference.py          writes the pages
.venv/bin/python scripts/reference.py --check  says whether they are as they should be
"""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from recorder.cli import recorder
from recorder.config import Settings

FOLDER = Path(__file__).resolve().parents[1] / "docs/reference"
MADE = "<!-- made by scripts/reference.py: change the code, then `make reference` -->\n"


SETTINGS = """# Settings

{made}
Read from the file that `--config` (or `RECORDER_CONFIG`) names, in YAML. A variable of the
environment overrides each: `RECORDER_SITE`, and for one within another `RECORDER_SPOOL__MAX_SIZE`.
`recorder settings sample` prints a file with all of them, `recorder settings show` what is in
effect. Sizes are written `200 GB` or `64MiB`, durations `90s`, `5m`, `24h`, `30d`. What is secret
is pointed to: `env:NAME`, `file:/path`; within a URL `{{env:NAME}}`, `{{file:/path}}`.

| setting | default | what it is |
|---|---|---|
"""
COMMANDS = """# Commands

{made}
`recorder --help`, and `--help` after any command, say the same. Exit codes are those of sysexits:
0 done, 64 used wrongly, 65 something is broken, 66 not found, 74 a file cannot be read or written,
75 try again later, 77 not allowed, 78 a mistake in a document, in settings or
in this machine's clock.

"""


def settings_page() -> str:
    """Write the page of all settings."""
    return SETTINGS.format(made=MADE) + "\n".join(_rows(Settings, "")) + "\n"


def _rows(model: type[BaseModel], before: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = _part(field.annotation)
        many = inner is not None and field.annotation is not inner
        if inner is not None:
            if many:
                yield _row(f"{before}{name}", field)
            yield from _rows(inner, f"{before}{name}{'[]' if many else ''}.")
        else:
            yield _row(f"{before}{name}", field)


def _row(name: str, field: FieldInfo) -> str:
    said = field.description or ""
    allowed = _allowed(field.annotation)
    if allowed:
        said = f"{said} One of {allowed}.".strip()
    for plain, written in (("|", "\\|"), ("<", "&lt;"), (">", "&gt;")):
        said = said.replace(plain, written)
    return f"| `{name}` | {_default(field)} | {said} |"


def _part(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_part, typing.get_args(annotation))), None)


def _allowed(annotation: Any) -> str:
    if typing.get_origin(annotation) is Literal:
        return ", ".join(f"`{one}`" for one in typing.get_args(annotation))
    if typing.get_origin(annotation) in (tuple, UnionType, typing.Union):
        return next(filter(None, map(_allowed, typing.get_args(annotation))), "")
    return ""


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.default_factory is not None or value is PydanticUndefined:
        return "must be said" if field.is_required() else _NAMED.get(field.default_factory, "")
    if value in ("", (), None, NoneType):
        return ""
    if isinstance(value, tuple):
        return "`[" + ", ".join(map(str, value)) + "]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def commands_page() -> str:
    """Write the page of all commands."""
    lines = _command(recorder, click.Context(recorder, info_name="recorder"), 2)
    return COMMANDS.format(made=MADE) + "\n".join(lines).rstrip() + "\n"


def _command(command: click.Command, context: click.Context, level: int) -> list[str]:
    found = [f"{'#' * min(level, 4)} {context.command_path}", "", cleandoc(command.help or ""), ""]
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    found += [f"    {usage}", ""]
    rows = [record for one in command.get_params(context) if (record := _option(one, context))]
    if rows:
        found += ["| option | what it does |", "|---|---|"]
        found += [f"| `{name}` | {said} |" for name, said in rows] + [""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is None:
                continue
            below = click.Context(inner, info_name=name, parent=context)
            found += _command(inner, below, level + 1)
    return found


def _option(one: click.Parameter, context: click.Context) -> tuple[str, str] | None:
    record = one.get_help_record(context)
    if record is None or not record[1] or record[0].startswith(("--help", "-h")):
        return None
    name, said = record
    return name.replace("|", "\\|"), " ".join(said.replace("|", "\\|").split())


_NAMED: dict[Any, str] = {dict: "none"}
"""What a default that is made is called; the description says of others how."""

PAGES = {"settings.md": settings_page, "commands.md": commands_page}


def main() -> int:
    """Write the pages, or compare them."""
    stale = []
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        path = FOLDER / name
        text = page()
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(name)
    if stale:
        said = ", ".join(stale)
        sys.stderr.write(f"docs/reference: {said} not as the code says; run `make reference`\n")
    return 65 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
