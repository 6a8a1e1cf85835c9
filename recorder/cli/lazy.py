"""A group whose commands are imported when they are first used: naming them costs nothing."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import ClassVar

import click


class LazyGroup(click.Group):
    """A group of commands that lie in other modules.

    ``places``: of each command the module that has it in ``COMMANDS``, and its line of help.
    """

    places: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, in order."""
        return sorted(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; ``None`` when there is none of that name."""
        place = self.places.get(cmd_name)
        if place is None:
            return None
        commands: tuple[click.Command, ...] = importlib.import_module(place[0]).COMMANDS
        return next(one for one in commands if one.name == cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, from the lines kept here."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.places[name][1]) for name in self.list_commands(ctx)])


def command_name(ctx: click.Context) -> str:
    """Name a command as the table of permissions does."""
    names: list[str] = []
    at: click.Context | None = ctx
    while at is not None and at.parent is not None:
        names.insert(0, at.info_name or "")
        at = at.parent
    return " ".join(names)
