"""``recorder store usage``: what lies in the stores, and for how long there is room."""

from __future__ import annotations

from typing import cast

import click

from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.linked import answers
from recorder.cli.options import json_option
from recorder.janitor.usage import ShownStore, usage_here
from recorder.model.counting import number_of
from recorder.model.sizes import format_size

ORDERS = ("bytes", "camera", "oldest")


@click.command("usage")
@click.argument("name", required=False)
@click.option("--streams/--no-streams", default=True, help="Each stream's share, or sums alone.")
@click.option(
    "--sort",
    type=click.Choice(ORDERS),
    default="bytes",
    show_default=True,
    help="What comes first.",
)
@json_option
@pass_context
def usage(context: Context, name: str | None, streams: bool, sort: str, as_json: bool) -> None:
    """Say what lies in the stores, by camera and group, how far back, and when they are full.

    Bundles of evidence that were asked for have a line for each node that has some.
    """
    if context.client is not None:
        found = cast("list[ShownStore]", context.client.stores(name))
    else:
        found = usage_here(context.app, None if name is None else [name])
    if as_json:
        emit(found)
        return
    for one in found:
        for line in _lines(one):
            echo(line)
        if streams:
            for line in _stream_lines(one, sort):
                echo(line)
    if name is None:
        for line in _bundle_lines(context):
            echo(line)


def _bundle_lines(context: Context) -> list[str]:
    """Say what bundles of evidence take on the disks of this site's nodes."""
    nodes, own = answers(context).nodes(), context.own_site()
    kept = [
        (one["node"], one["exports"])
        for one in nodes
        if one["site"] == own and one.get("exports", {}).get("bundles")
    ]
    return [
        f"exports at {node}: {number_of(said['bundles'], 'bundle')}, {format_size(said['bytes'])}"
        for node, said in kept
    ]


def _lines(one: ShownStore) -> list[str]:
    room = "it does not say how large it is"
    if one["free_bytes"] is not None and one["total_bytes"] is not None:
        room = f"{format_size(one['free_bytes'])} free of {format_size(one['total_bytes'])}"
    said = [f"store {one['store']}: {format_size(one['stored_bytes'])} of footage, {room}"]
    if one["error"] is not None:
        said.append(f"  does not answer: {one['error']}")
    if one["oldest"] is not None:
        said.append(f"  reaches back to {one['oldest']}")
    if one["readonly"]:
        return [*said, "  read only: nothing is written or deleted there"]
    comes = f"  {format_size(one['bytes_per_day'])} a day"
    if one["full_at"] is not None:
        said.append(f"{comes}: full {one['full_at']}, in {one['days_left']:.1f} days")
    elif one["total_bytes"] is not None and one["bytes_per_day"]:
        said.append(f"{comes}: it fits")
    elif one["bytes_per_day"]:
        said.append(comes)
    return said + [
        f"  {f'group {group}' if group else 'no group'}: {format_size(size)}"
        for group, size in sorted(one["groups"].items(), key=lambda pair: -pair[1])
    ]


def _stream_lines(one: ShownStore, sort: str) -> list[str]:
    rows = sorted(one["streams"], key=lambda row: (row["site"], row["camera"], row["stream"]))
    if sort != "camera":
        rows.sort(key=lambda row: row["oldest"] if sort == "oldest" else -row["bytes"])
    names = [f"{row['site']}/{row['camera']}/{row['stream']}" for row in rows]
    wide = max(map(len, names), default=0)
    return [
        f"  {name:{wide}}  {format_size(row['bytes']):>8}  "
        f"{number_of(row['segments'], 'segment'):>16}  since {row['oldest']}"
        + (f"  ({format_size(row['condemned_bytes'])} going)" if row["condemned_bytes"] else "")
        + (f'  "{row["label"]}"' if row["label"] else "")
        for name, row in zip(names, rows, strict=True)
    ]
