"""``recorder node``: the nodes of a site, and taking one out of service."""

from __future__ import annotations

from typing import Any

import click

from recorder.cli.context import Context, echo, emit, pass_context
from recorder.cli.linked import answers
from recorder.cli.options import json_option
from recorder.model.counting import number_of
from recorder.model.timebase import SECOND, format_duration
from recorder.ports.states import STOPPED

CLOCK_OFF_S = 2.0
"""From so much on a node's clock is said to be off."""
LATE = 10 * SECOND


@click.group()
def node() -> None:
    """Look at the nodes of this site; drain one for maintenance, remove one that is gone."""


@node.command("list")
@json_option
@pass_context
def list_(context: Context, as_json: bool) -> None:
    """List the nodes and how many streams each holds."""
    found = answers(context).nodes()
    rows: list[dict[str, Any]] = [
        {
            "node": one["node"],
            "silent_seconds": one["silent_seconds"],
            "streams": one["held"],
            "recording": one.get("recording", 0),
            "state": one.get("state", ""),
            "draining": one["draining"],
            "full": one.get("full", False),
            "clock_ahead_seconds": one.get("clock_ahead_s", 0.0),
        }
        for one in found
        if one["site"] == context.own_site()
    ]
    if as_json:
        emit(rows)
        return
    for row in rows:
        ahead = row["clock_ahead_seconds"]
        silent = int(row["silent_seconds"]) * SECOND
        said = row["state"]
        if silent > LATE:
            length = format_duration(silent)
            said = f"stopped {length} ago" if said == STOPPED else f"NOT HEARD for {length}"
        echo(
            f"{row['node']:16} {said}{', draining' if row['draining'] else ''}; "
            f"{number_of(row['streams'], 'stream')}, {row['recording']} recording"
            + ("; ITS SPOOL TAKES NOTHING" if row["full"] else "")
            + (f"; its clock is {ahead:+g} s off" if abs(ahead) > CLOCK_OFF_S else "")
        )


@node.command("drain")
@click.argument("name")
@json_option
@pass_context
def drain(context: Context, name: str, as_json: bool) -> None:
    """Have a node hand its streams to others; it stops each when the other records it."""
    names = answers(context).drain(name, wanted=True)
    if as_json:
        emit({"draining": names})
    else:
        echo(f"node {name} hands its streams over; recorder node list shows how far it is")


@node.command("undrain")
@click.argument("name")
@json_option
@pass_context
def undrain(context: Context, name: str, as_json: bool) -> None:
    """Let a node record again."""
    names = answers(context).drain(name, wanted=False)
    if as_json:
        emit({"draining": names})
    else:
        echo(f"node {name} records again")


@node.command("remove")
@click.argument("name")
@click.option(
    "--lose", is_flag=True, help="Also where footage is nowhere else: gaps `lost` remain of it."
)
@json_option
@pass_context
def remove(context: Context, name: str, lose: bool, as_json: bool) -> None:
    """Forget a node that never comes back, and give up what its spool has.

    Refused while the node is heard, and, without --lose, while its spool alone has footage. If it
    comes back all the same, it is known again, and what is on its disk is taken in.
    """
    done = answers(context).remove(name, lose=lose)
    if as_json:
        emit(done)
        return
    copies, lost = number_of(done["copies"], "copy"), number_of(done["lost"], "segment")
    had = f"; its spool had {copies}" if done["copies"] else ""
    gaps = f", {lost} of them nowhere else: gaps `lost`" if done["lost"] else ""
    echo(f"node {name} is no more{had}{gaps}")


COMMANDS = (node,)
