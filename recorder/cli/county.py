"""``recorder demo --county``: sites in a tree, shown in the terminal."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.tree import Tree

from recorder.demo.county import ABOVE, CAMERAS, GROUPS, POLICY, County, Step, build, story
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
        console.print("starting six sites, each a process with a folder of its own …")
        county = build(folder)
        console.print(_tree(county))
        console.print(_policy())
        for what in story(county):
            _tell(console, what, begin)
        console.print(_table(county))
        if stay:
            console.print(_examples(county.sites["centre"].port), soft_wrap=True)
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


def _tell(console: Console, what: str | Step, begin: float) -> None:
    """Say what happens, or wait for it; what is told in several lines stands below its first."""
    if not isinstance(what, str):
        _await(console, what, begin)
    elif what.startswith(" "):
        console.print(Padding(what.strip(), (0, 0, 0, 11)))
    else:
        console.print(f"[bold]{time.monotonic() - begin:5.1f} s[/]  {what}")


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


def _tree(county: County) -> Tree:
    """Draw which site is below which, and what each records."""
    drawn: dict[str, Tree] = {}
    for site in county.sites.values():
        named = [one for one, at in CAMERAS.items() if at == site.name]
        records = "".join(f", records {one} (group {GROUPS[one]})" for one in named)
        text = f"{site.name}  [dim]{site.level}{records}[/]"
        above = drawn.get(ABOVE.get(site.name, ""))
        drawn[site.name] = above.add(text) if above is not None else Tree(text)
    return drawn["centre"]


def _policy() -> Table:
    """Show the policy that the centre puts in force, rule by rule."""
    table = Table(title="the policy; the first rule that matches decides")
    for column in ("rule", "kept", "sent up"):
        table.add_column(column)
    for rule in POLICY["rules"]:
        kept = ", ".join(
            f"{place} {ages['max'] if isinstance(ages, dict) else ages}"
            for place, ages in rule["keep"].items()
        )
        sent = ", ".join(
            f"{one.get('what', 'all')} to {one['to']}" for one in rule.get("replicate", ())
        )
        table.add_row(rule["name"], kept, sent or "nothing")
    return table


def _table(county: County) -> Table:
    table = Table(title="where footage lies")
    for column in ("site", "level", "of the cameras", "segments", "bytes"):
        table.add_column(column)
    for site in county.sites.values():
        store = site.folder / "store"
        paths = list(store.rglob("*Z.*.mp4"))
        cameras = sorted({path.relative_to(store).parts[1] for path in paths})
        size = sum(path.stat().st_size for path in paths)
        named = ", ".join(cameras) or "none"
        table.add_row(site.name, site.level, named, str(len(paths)), format_size(size))
    return table


def _examples(port: int) -> str:
    """Three requests to the centre, of a camera two levels below; no line over 80 columns."""
    return (
        f"ask the centre ([bold]http://127.0.0.1:{port}/docs[/]) of post1's camera:\n"
        f"  C=http://127.0.0.1:{port}/api/v1/cameras/market\n"
        '  curl "$C/timeline?start=-5m&end=now"\n'
        '  curl -o market.mp4 "$C/clip.mp4?start=-30s&end=-20s"\n'
        '  curl "$C/explain?at=-30s"'
    )
