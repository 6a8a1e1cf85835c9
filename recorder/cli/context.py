"""What every command shares: settings, the app, times, and how answers are printed."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pwd
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from recorder.cli.lazy import command_name
from recorder.cli.permitted import ON_NODE
from recorder.errors import RequestError
from recorder.model.checks import check_text, printable
from recorder.model.moments import localized, read_moment
from recorder.model.timebase import Instant, TimeRange, parse_instant

if TYPE_CHECKING:  # they take a second to import, which --help has no use for
    from recorder.api.shown import ShownAnswering
    from recorder.app import App
    from recorder.audit.entry import Subject
    from recorder.client import Client
    from recorder.config import Settings
    from recorder.model.caller import Caller


P = ParamSpec("P")
T = TypeVar("T")

PATIENCE_S = 5.0
"""So long a server that does not answer is tried again while a person looks on."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that commands are asked of instead of this machine's node."""

    url: str
    token: str = ""
    ca_file: str | None = None
    purpose: str = ""


class Context:
    """Settings and app, made when a command first needs them."""

    def __init__(
        self,
        config: Path | None,
        data: Path | None,
        zone: str | None = None,
        server: Server | None = None,
        purpose: str = "",
    ) -> None:
        self.config, self.server, self.purpose = config, server, purpose
        self.flags: dict[str, object] = {"data": data, "zone": zone}
        self._settings: Settings | None = None
        self._app: App | None = None
        self._client: Client | None = None
        self._told: ShownAnswering | None = None
        self.patience_s: float = PATIENCE_S

    def __enter__(self) -> Context:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._app is not None:
            self._app.close()
        if self._client is not None:
            self._client.close()

    @property
    def settings(self) -> Settings:
        """The settings of this machine's node."""
        if self._settings is None:
            from recorder.config import load_settings

            self._settings = load_settings(self.config, **self.flags)
        return self._settings

    @property
    def client(self) -> Client | None:
        """The client of the server that is asked; ``None`` where it is this machine's node."""
        if self._client is None and self.server is not None:
            from recorder.client import Client

            one = self.server
            self._client = Client(
                one.url,
                one.token,
                ca_file=one.ca_file,
                patience_s=self.patience_s,
                purpose=one.purpose,
            )
        return self._client

    @property
    def app(self) -> App:
        """The app of this machine's node: of no other, where a server is asked."""
        if self.server is not None:
            raise _on_node()
        if self._app is None:
            from recorder.app import App

            self._app = App(self.settings)
        return self._app

    @functools.cached_property
    def me(self) -> Caller:
        """Who runs this command, as the machine knows them: no variable says otherwise."""
        from recorder.model.caller import Caller, CallerKind

        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = str(os.getuid())
        return Caller(CallerKind.MACHINE, name, purpose=check_text(self.purpose, "purpose", 256))

    def note(self, action: str, subject: Subject | None = None, **details: Any) -> None:
        """Write into the audit log what is about to be done or seen.

        Raises: ``AuditUnavailable``.
        """
        from recorder.audit.entry import NOTHING

        self.app.book.note(self.me, action, subject or NOTHING, **details)

    def doing(
        self, action: str, subject: Subject | None = None, **details: object
    ) -> contextlib.AbstractContextManager[None]:
        """Write into the audit log what is being changed; and if it fails, that it did.

        Raises: ``AuditUnavailable``.
        """
        from recorder.audit.entry import NOTHING

        return self.app.book.doing(self.me, action, subject or NOTHING, **details)

    def instant(self, text: str, what: str) -> Instant:
        """Read an absolute or local time, Unix seconds, ``now``, or one from now (``-90s``)."""
        return read_moment(text, what, self.now(), self.read_zone)

    def now(self) -> Instant:
        """The time where the answer comes from: this machine's may be wrong."""
        if self.client is None:
            return self.app.clock.now()
        return parse_instant(self._answering(self.client)["now"])

    def own_site(self) -> str:
        """Name the site that answers: its cameras need no name of a site before theirs."""
        if self.client is None:
            return self.settings.site
        return self._answering(self.client)["site"]

    def own_level(self) -> str:
        """Return the level of the site that answers."""
        return self._answering(self.client)["level"] if self.client else self.settings.level

    def _answering(self, client: Client) -> ShownAnswering:
        """Ask who answers, once: all times of a command are reckoned from one."""
        if self._told is None:
            self._told = client.answering()
        return self._told

    def look_again(self) -> None:
        """Have the server tell the time anew: a command that stays begins another look."""
        self._told = None

    @property
    def read_zone(self) -> str:
        """The zone of times that name none."""
        return self.zone if self.server is not None else self.settings.zone

    @property
    def zone(self) -> str:
        """The zone that times are shown in; empty: UTC, as programs expect where nobody looks."""
        if self.flags.get("zone") or self.server is not None:
            return str(self.flags.get("zone") or "")
        return self.settings.zone if self.looked_at else ""

    @property
    def looked_at(self) -> bool:
        """Whether a person looks: programs get UTC, whatever the settings say."""
        return sys.stdout.isatty()

    def range(self, start: str, end: str) -> TimeRange:
        """Read a range.

        Raises: ``RequestError`` when it ends before it starts, or is empty.
        """
        now = self.now()  # once: -60s to -30s is half a minute
        begin = read_moment(start, "start", now, self.read_zone)
        stop = read_moment(end, "end", now, self.read_zone)
        if stop <= begin:
            raise RequestError(f"end {end} is not after start {start}")
        return TimeRange(begin, stop)


def told(value: object) -> str:
    """Write a fact for people.

    >>> told(True), told(None), told(25), told(["video h264", "audio aac"]), told({})
    ('yes', 'not known', '25', 'video h264, audio aac', 'none')
    >>> told({"long-gop": "12 s"})
    'long-gop: 12 s'
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        value = [f"{key}: {one}" for key, one in value.items()]
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not known" if value is None else str(value)


@contextlib.contextmanager
def progress(
    label: str, total: int | None, *, quiet: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error while long work goes on, if a person looks.

    Yields a function to call with how much more was done; without ``total`` it only counts.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda more: bar.advance(task, more)


def pass_context(command: Callable[Concatenate[Context, P], T]) -> Callable[P, T]:
    """Give a command its context; one that is done on the node is refused from afar.

    Raises: ``RequestError``.
    """

    @click.pass_context
    def run(ctx: click.Context, /, *arguments: P.args, **named: P.kwargs) -> T:
        context = ctx.find_object(Context)
        assert context is not None  # noqa: S101 - the group makes it
        if context.server is not None and command_name(ctx) in ON_NODE:
            raise _on_node()
        return command(context, *arguments, **named)

    return functools.update_wrapper(run, command)


def _on_node() -> RequestError:
    return RequestError(
        "this is done on the node itself, not over --server",
        hint="run it there: it has to do with its disks, settings or processes",
    )


def echo(text: str = "", *, err: bool = False) -> None:
    """Print a text for people, its times in the zone they read."""
    context = click.get_current_context(silent=True)
    found = context.find_object(Context) if context is not None else None
    said = localized(text, found.zone) if found is not None else text
    click.echo(printable(said, lines=True), err=err)


def emit(value: object) -> None:
    """Print an answer as JSON."""
    click.echo(json.dumps(value, indent=2, default=str))
