"""``recorder timeline | clip | frame | coverage``: find and fetch."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recorder.cli.context import Context, echo, emit, pass_context, progress
from recorder.cli.finding import Wanted, answers
from recorder.cli.options import burnt_options, json_option, range_options, stream_option
from recorder.durable import only_one
from recorder.model.about import titled
from recorder.model.counting import number_of
from recorder.model.timebase import (
    MS,
    SECOND,
    TimeRange,
    format_duration,
    format_instant,
    parse_instant,
)

if TYPE_CHECKING:
    from recorder.model.shown import ShownTimeline

MOST_TOLD = 20
"""Gaps that a person is told of, and no screenful more."""


@click.command()
@click.argument("camera")
@range_options
@stream_option
@click.option("--activity", is_flag=True, help="Show when something moved, by frame sizes.")
@json_option
@pass_context
def timeline(
    context: Context,
    camera: str,
    start: str,
    end: str,
    stream: str | None,
    site: str | None,
    activity: bool,
    as_json: bool,
) -> None:
    """Show spans and gaps of a camera, and why each gap is there."""
    wanted = Wanted(camera, stream, site, context.range(start, end))
    shown = answers(context).timeline(wanted, activity=activity)
    if as_json:
        emit(shown)
        return
    for text in _timeline_lines(shown):
        echo(text)
    if shown["elsewhere"]:
        others = ", ".join(shown["elsewhere"])
        echo(f"this is {shown['site']}/{shown['camera']}; there is also {others}", err=True)
    for one in shown.get("activity", []):
        if one["motion"]:
            echo(f"{_row(one['start'], one['end'])}  activity {one['score']}")


def _row(start: str, end: str) -> str:
    begin, stop = parse_instant(start), parse_instant(end)
    length = format_duration((stop - begin) // MS * MS)
    return f"{format_instant(begin, 3)}  {format_instant(stop, 3)}  {length:>12}"


def _timeline_lines(line: ShownTimeline) -> list[str]:
    rows = [
        (
            _row(span["start"], span["end"]),
            f"footage  {span['codecs']}{'  (recording)' if span['open'] else ''}"
            f"{'  (clean points only)' if span['clean_points_only'] else ''}",
        )
        for span in line["spans"]
    ]
    rows += [(_row(gap["start"], gap["end"]), f"GAP      {gap['cause']}") for gap in line["gaps"]]
    name = titled(f"{line['site']}/{line['camera']}", line["label"])
    out = [f"{name}, {line['stream']}", *(f"{row}  {what}" for row, what in sorted(rows))]
    total = line["seconds"]
    share = 100 * line["covered_seconds"] / total if total else 0
    length = format_duration(round(total * SECOND))
    out.append(f"{share:.3f} % of {length} covered, {number_of(len(line['gaps']), 'gap')}")
    if line["events"]:
        more = " and more" if line["events_until"] else ""
        asked = f"recorder event list --camera {line['site']}/{line['camera']}"
        out.append(f"{number_of(len(line['events']), 'event')}{more}: {asked} lists them")
    return out


@click.command()
@click.argument("camera")
@range_options
@stream_option
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="File; '-' for standard output."
)
@click.option("--gaps", type=click.Choice(["skip", "fail"]), default="skip", show_default=True)
@click.option(
    "--format", "form", type=click.Choice(["mp4", "fmp4", "zip"]), default="mp4", show_default=True
)
@burnt_options
@json_option
@pass_context
def clip(
    context: Context,
    camera: str,
    start: str,
    end: str,
    stream: str | None,
    site: str | None,
    output: Path | None,
    gaps: str,
    form: str,
    masked: bool,
    mark: bool,
    as_json: bool,
) -> None:
    """Save exactly the frames of a range; nothing is re-encoded.

    With --masked or --mark it is a copy, encoded anew; each frame keeps its time.
    """
    wanted = Wanted(camera, stream, site, context.range(start, end), masked, mark)
    with answers(context).clip(wanted, form, gaps) as found:
        stamp = format_instant(wanted.range.start, 0).replace(":", "")
        target = output or Path(f"{found.name}_{stamp}.{_suffix(form)}")
        size = _save(target, found.blocks, found.size)
    about = found.about or (_said_inside(target) if form == "zip" else {})
    _said(as_json, {"file": str(target), "bytes": size, **about})


def _said_inside(archive: Path) -> dict[str, object]:
    """Read what a zip says of itself; nothing of one that went to standard output."""
    if str(archive) == "-":
        return {}
    with zipfile.ZipFile(archive) as found:
        said: dict[str, object] = json.loads(found.read("timeline.json"))
    return {key: one for key, one in said.items() if key != "files"}


def _suffix(form: str) -> str:
    return "zip" if form == "zip" else "mp4"


def _save(target: Path, blocks: Any, size: int | None) -> int:
    """Write to a file that appears under its name only when it is whole."""
    if str(target) == "-":
        out = sys.stdout.buffer
        written = 0
        for block in blocks:
            out.write(block)
            written += len(block)
        return written
    part = target.with_name(target.name + ".part")
    written = 0
    with only_one(part):
        try:
            small = size is not None and size < 20_000_000
            with part.open("wb") as file, progress("fetching", size, quiet=small) as step:
                for block in blocks:
                    file.write(block)
                    written += len(block)
                    step(len(block))
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return written


def _said(as_json: bool, body: dict[str, Any]) -> None:
    """Say what was saved; what is missing in it, to whoever looks, whatever standard output is."""
    for text in _missing_lines(body):
        echo(text, err=True)
    if body["file"] == "-":
        return
    if as_json:
        emit(body)
        return
    echo(f"{body['file']}: {body['bytes']} bytes")
    for part in body.get("parts", []):
        echo(
            f"  {part['clip_start_s']:.3f} to {part['clip_end_s']:.3f} s shows "
            f"{part['start']} to {part['end']}"
        )


def _missing_lines(body: dict[str, Any]) -> list[str]:
    gaps = body.get("gaps")
    if not gaps:
        return []
    missing, asked = (
        format_duration(round(one * SECOND))
        for one in (body["missing_seconds"], body["asked"]["seconds"])
    )
    lines = [f"MISSING {missing} of {asked}, in {number_of(len(gaps), 'gap')}:"]
    for gap in gaps[:MOST_TOLD]:
        begin, stop = parse_instant(gap["start"]), parse_instant(gap["end"])
        length = format_duration((stop - begin) // MS * MS)
        lines.append(
            f"  {format_instant(begin, 3)} to {format_instant(stop, 3)}  {length}  {gap['cause']}"
        )
    if len(gaps) > MOST_TOLD:
        lines.append(f"  and {len(gaps) - MOST_TOLD} more; recorder timeline has all")
    return lines


@click.command()
@click.argument("camera")
@click.option("--at", required=True, help="RFC 3339 with a zone, or -10s.")
@stream_option
@click.option("--width", type=click.IntRange(0, 7680), default=0, help="No wider than so.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File to write.")
@burnt_options
@json_option
@pass_context
def frame(
    context: Context,
    camera: str,
    at: str,
    stream: str | None,
    site: str | None,
    width: int,
    output: Path | None,
    masked: bool,
    mark: bool,
    as_json: bool,
) -> None:
    """Save the frame on screen at an instant, as JPEG."""
    instant = context.instant(at, "at")
    wanted = Wanted(camera, stream, site, TimeRange(instant, instant + 1), masked, mark)
    with answers(context).frame(wanted, instant, width) as found:
        taken = found.about["at"]
        stamp = format_instant(parse_instant(taken), 3).replace(":", "")
        target = output or Path(f"{found.name}_{stamp}.jpg")
        target.write_bytes(b"".join(found.blocks))
    if as_json:
        emit({"file": str(target), "at": taken})
    else:
        echo(f"{target}: {taken}")


@click.command()
@click.option("--start", help="By default the start of today, UTC.")
@click.option("--end", default="now", show_default=True)
@json_option
@pass_context
def coverage(context: Context, start: str | None, end: str, as_json: bool) -> None:
    """Show how much of what should have been recorded was, per camera and day."""
    asked = context.range(start, end) if start else None
    rows: list[dict[str, Any]] = [
        {**{key: one[key] for key in ("camera", "stream", "site", "label")}, **day}
        for one in answers(context).coverage(asked)
        for day in one["days"]
    ]
    if as_json:
        emit(rows)
        return
    own = context.own_site()
    for row in rows:
        share = "      -" if row["coverage"] is None else f"{100 * row['coverage']:7.3f}"
        gaps = ", ".join(f"{cause} {total:.1f} s" for cause, total in row["gap_seconds"].items())
        label = f'  "{row["label"]}"' if row["label"] else ""
        name = row["camera"] if row["site"] == own else f"{row['site']}/{row['camera']}"
        echo(f"{row['day']}  {name:24} {row['stream']:8} {share} %  {gaps}{label}")


COMMANDS = (timeline, clip, frame, coverage)
