"""``recorder demo --county``: sites in a tree, shown in the terminal."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.table import Table

from recorder.demo.county import County, Step, build, story
from recorder.errors import RecorderError, StateError
from recorder.model.sizes import format_size


class _Ended(Exception):
    """Somebody asked to end."""


def _end(number: int, frame: FrameType | None) -> None:
    raise _Ended


def show_county(folder: Path, *, stay: bool) -> None:
    """Bring up the county, tell its story; ``stay`` leaves it running until Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    console = Console(highlight=False)
    county: County | None = None
    begin = time.monotonic()
    try:
        console.print("starting six sites …")
        county = build(folder)
        for what in story(county):
            if isinstance(what, str):
                console.print(f"[bold]{time.monotonic() - begin:5.1f} s[/]  {what}")
            else:
                _await(console, what, begin)
        console.print(_table(county))
        if stay:
            console.print(f"the centre's API: http://127.0.0.1:{county.sites['centre'].port}/docs")
            console.print("everything runs on; Ctrl-C ends it")
            while True:
                time.sleep(3600)
    except _Ended:
        console.print()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        if county is not None:
            county.close()
    click.echo("demo: stopped; nothing is left running")


def _await(console: Console, step: Step, begin: float) -> None:
    what, seen, patience_s = step
    end = time.monotonic() + patience_s
    while True:
        try:
            if seen():
                break
        except (RecorderError, KeyError):
            pass  # asked again below
        if time.monotonic() > end:
            raise StateError(f"not seen within {patience_s:g} s: {what}")
        time.sleep(0.3)
    console.print(f"[bold]{time.monotonic() - begin:5.1f} s[/]  [green]✓[/] {what}")


def _table(county: County) -> Table:
    table = Table(title="where footage lies")
    for column in ("site", "level", "segments in store", "bytes", "of other sites"):
        table.add_column(column)
    for site in county.sites.values():
        paths = list((site.folder / "store").rglob("*Z.*.mp4"))
        foreign = sum(
            1 for path in paths if path.relative_to(site.folder / "store").parts[0] != site.name
        )
        size = sum(path.stat().st_size for path in paths)
        table.add_row(site.name, site.level, str(len(paths)), format_size(size), str(foreign))
    return table
