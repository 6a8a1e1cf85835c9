"""``recorder timeline | clip | frame | coverage``: find and fetch."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from recorder.audit.entry import Subject
from recorder.cli.context import (
    Context,
    echo,
    emit,
    json_option,
    pass_context,
    progress,
    range_options,
    stream_option,
)
from recorder.model.missing import Missing, show_missing
from recorder.model.timebase import (
    MS,
    TimeRange,
    day_start,
    format_duration,
    format_instant,
    show_range,
)
from recorder.model.timeline import Timeline, coverage_by_day

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
    context: Context, camera: str, start: str, end: str, stream: str | None,
    site: str | None, activity: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show spans and gaps of a camera, and why each gap is there."""
    named = context.app.named(camera, stream, site)
    name = named.stream
    line = context.app.view.timeline(name, context.range(start, end), named.document)
    if as_json:
        from recorder.api.schemas import show_activity, show_timeline

        shown = show_timeline(named, line, coverage_by_day(line))
        if activity:
            with context.app.view.find(name, line.range) as found:
                shown["activity"] = show_activity(found.segments, line.range)
        emit(shown)
        return
    for text in _timeline_lines(line):
        echo(text)
    if named.elsewhere:
        others = ", ".join(map(str, named.elsewhere))
        echo(f"this is {name.camera_id}; there is also {others}", err=True)
    if activity:
        from recorder.activity import motions

        with context.app.view.find(name, line.range) as found:
            for range_, score in (one for segment in found.segments for one in motions(segment)):
                echo(
                    f"{format_instant(range_.start, 3)}  {format_instant(range_.end, 3)}  "
                    f"{format_duration(range_.duration_ns // 10**6 * 10**6):>12}  "
                    f"activity {score}"
                )


def _timeline_lines(line: Timeline) -> list[str]:
    rows = [(span.start, span.end, f"footage  {span.codecs}{'  (recording)' if span.open else ''}"
             f"{'  (clean points only)' if span.is_thin else ''}")
            for span in line.spans]  # fmt: skip
    rows += [(gap.start, gap.end, f"GAP      {gap.cause}") for gap in line.gaps]
    out = [
        f"{format_instant(start, 3)}  {format_instant(end, 3)}  "
        f"{format_duration((end - start) // 1_000_000 * 1_000_000):>12}  {what}"
        for start, end, what in sorted(rows)
    ]
    total = line.range.duration_ns
    share = 100 * line.covered_ns / total if total else 0
    out.append(f"{share:.3f} % of {format_duration(total)} covered, {len(line.gaps)} gap(s)")
    return out


@click.command()
@click.argument("camera")
@range_options
@stream_option
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="File; '-' for standard output."
)
@click.option("--gaps", type=click.Choice(["skip", "fail"]), default="skip", show_default=True)
@click.option("--format", "form", type=click.Choice(["mp4", "fmp4", "zip"]), default="mp4",
              show_default=True)  # fmt: skip
@json_option
@pass_context
def clip(context: Context, camera: str, start: str, end: str, stream: str | None, site: str | None,
         output: Path | None, gaps: str, form: str, as_json: bool) -> None:  # fmt: skip
    """Save exactly the frames of a range; nothing is re-encoded."""
    from recorder.export.archive import stream_zip
    from recorder.export.clip import make_clip, make_native
    from recorder.export.identity import show_part, show_sources, sources_digest
    from recorder.reading.absent import explained, look, refuse_gaps

    app = context.app
    named, asked = app.named(camera, stream, site), context.range(start, end)
    name, missing = named.stream, look(app.view, named, asked)
    if gaps == "fail":
        refuse_gaps(app.view, named, missing)
    target = output or Path(
        f"{name.camera}_{format_instant(asked.start, 0).replace(':', '')}.{_suffix(form)}"
    )
    about = {"site": name.site, "camera": name.camera, "stream": name.stream,
             "asked": show_range(asked), **show_missing(missing)}  # fmt: skip
    action = "footage.export" if form == "zip" else "footage.clip"
    subject = Subject(name.site, name.camera, name.stream, asked)
    if form == "zip":
        app.view.find_some(name, asked).close()
        context.note(action, subject, format=form, file=target.name)
        size = _save(target, stream_zip(app.view, name, missing), None)
        _said(as_json, {"file": str(target), "bytes": size, **about}, missing)
        return
    with explained(app.view, named, asked), app.view.find_some(name, asked) as found:
        made = (
            make_native(app.view, found, asked)
            if form == "fmp4"
            else make_clip(app.view, found, asked)
        )
        context.note(action, subject, format=form, file=target.name)
        size = _save(target, made.read(), made.file.size)
    _said(as_json, {
        "file": str(target), "bytes": size, **about,
        "parts": [show_part(part) for part in made.parts],
        "sources": show_sources(made.file.segments),
        "sources_sha256": sources_digest(made.file.segments).strip(),
    }, missing)  # fmt: skip


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


def _said(as_json: bool, body: dict[str, Any], missing: Missing) -> None:
    """Say what was saved; what is missing in it, to whoever looks, whatever standard output is."""
    for text in _missing_lines(missing):
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


def _missing_lines(missing: Missing) -> list[str]:
    if not missing.gaps:
        return []
    asked = missing.asked.duration_ns
    lines = [
        f"MISSING {format_duration(missing.missing_ns)} of {format_duration(asked)}, "
        f"in {len(missing.gaps)} gap(s):"
    ]
    lines += [
        f"  {format_instant(gap.start, 3)} to {format_instant(gap.end, 3)}  "
        f"{format_duration(gap.range.duration_ns // MS * MS)}  {gap.cause}"
        for gap in missing.gaps[:MOST_TOLD]
    ]
    if len(missing.gaps) > MOST_TOLD:
        lines.append(f"  and {len(missing.gaps) - MOST_TOLD} more; recorder timeline has all")
    return lines


@click.command()
@click.argument("camera")
@click.option("--at", required=True, help="RFC 3339 with a zone, or -10s.")
@stream_option
@click.option("--width", type=click.IntRange(0, 7680), default=0, help="No wider than so.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File to write.")
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
    as_json: bool,
) -> None:
    """Save the frame on screen at an instant, as JPEG."""
    from recorder.app import find_ffmpeg
    from recorder.playback.frame import grab
    from recorder.reading.absent import explained

    view, named = context.app.view, context.app.named(camera, stream, site)
    name, instant = named.stream, context.instant(at, "at")
    ffmpeg = find_ffmpeg(context.settings.capture.ffmpeg)
    with explained(view, named, TimeRange(instant, instant + 1)):
        found = grab(view, name, instant, ffmpeg, width)
    shown = TimeRange(found.at, found.at + 1)
    context.note("footage.frame", Subject(name.site, name.camera, name.stream, shown))
    target = output or Path(f"{name.camera}_{format_instant(found.at, 3).replace(':', '')}.jpg")
    target.write_bytes(found.jpeg)
    if as_json:
        emit({"file": str(target), "at": format_instant(found.at)})
    else:
        echo(f"{target}: {format_instant(found.at)}")


@click.command()
@click.option("--start", help="By default the start of today, UTC.")
@click.option("--end", default="now", show_default=True)
@json_option
@pass_context
def coverage(context: Context, start: str | None, end: str, as_json: bool) -> None:
    """Show how much of what should have been recorded was, per camera and day."""
    from recorder.api.schemas import show_day

    app = context.app
    now = app.clock.now()
    asked = context.range(start, end) if start else TimeRange(day_start(now), now)
    rows: list[dict[str, Any]] = []
    for stream, document in app.known_streams():
        line = app.view.timeline(stream, asked, document)
        rows += [
            {"camera": stream.camera, "stream": stream.stream, "site": stream.site,
             **show_day(day)}
            for day in coverage_by_day(line)
        ]  # fmt: skip
    if as_json:
        emit(rows)
        return
    for row in rows:
        share = "      -" if row["coverage"] is None else f"{100 * row['coverage']:7.3f}"
        gaps = ", ".join(f"{cause} {total:.1f} s" for cause, total in row["gap_seconds"].items())
        own = row["site"] == app.settings.site
        name = row["camera"] if own else f"{row['site']}/{row['camera']}"
        echo(f"{row['day']}  {name:24} {row['stream']:8} {share} %  {gaps}")


COMMANDS = (timeline, clip, frame, coverage)
