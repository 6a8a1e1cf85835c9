"""``recorder settings``: what can be set, and what is."""

from __future__ import annotations

from importlib.resources import files

import click
import yaml

from recorder.cli.context import Context, emit, pass_context
from recorder.cli.options import json_option
from recorder.model.secrets import mask


@click.group()
def settings() -> None:
    """Show what can be set, and what is."""


@settings.command("sample")
@json_option
def sample(as_json: bool) -> None:
    """Print a settings file with every setting, its default, and what it is for."""
    text = (files("recorder") / "settings.sample.yaml").read_text(encoding="utf-8")
    if as_json:
        emit(yaml.safe_load(text))
    else:
        click.echo(text, nl=False)


@settings.command("show")
@json_option
@pass_context
def show(context: Context, as_json: bool) -> None:
    """Show the settings in effect: of the file, the environment and defaults; no secrets."""
    found = _masked(context.settings.model_dump(mode="json"))
    if as_json:
        emit(found)
        return
    click.echo(yaml.safe_dump(found, sort_keys=False, allow_unicode=True), nl=False)


def _masked(value: object) -> object:
    if isinstance(value, dict):
        return {name: _masked(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_masked(one) for one in value]
    return mask(value) if isinstance(value, str) else value


COMMANDS = (settings,)
