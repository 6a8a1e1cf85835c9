"""``recorder demo``: two cameras, a timeline and an exact clip within a minute."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from recorder import logs
from recorder.app import App
from recorder.cli.context import Context, pass_context
from recorder.cli.county import show_county
from recorder.cli.serve import running
from recorder.config import ApiPart, CapturePart, Settings, load_settings
from recorder.demo.camera import SyntheticCamera
from recorder.demo.ports import free_port
from recorder.errors import RecorderError
from recorder.export.clip import make_clip
from recorder.made import find_ffmpeg
from recorder.model.camera_document import parse_camera
from recorder.model.causes import Cause
from recorder.model.counting import number_of
from recorder.model.keys import StreamId
from recorder.model.timebase import SECOND, TimeRange, format_duration, format_instant
from recorder.service import Service

NAMES = ("gate", "yard")


def demo_settings(data: Path) -> Settings:
    """Settings of the demo: short segments, a free port."""
    return load_settings(
        None,
        data=data,
        site="demo",
        node="box",
        capture=CapturePart(segment=10),
        api=ApiPart(listen=f"127.0.0.1:{free_port()}"),
    )


@click.command()
@click.option("--seconds", default=0, help="Stop by itself after this long; 0 waits for Ctrl-C.")
@click.option("--after", default=20, show_default=True, help="Show the examples after this long.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder to record into, and keep.")
@click.option(
    "--county",
    is_flag=True,
    help="A centre, two sub-centres and three posts; a line is cut, and healed.",
)
@pass_context
def demo(context: Context, seconds: int, after: int, keep: Path | None, county: bool) -> None:
    """Record two synthetic 1080p cameras over real RTSP; show what can be asked of them."""
    logs.configure_logs("warning", "text")
    if county:
        with tempfile.TemporaryDirectory(prefix="spanstore-county-") as folder:
            show_county(keep or Path(folder), stay=seconds == 0)
        return
    with tempfile.TemporaryDirectory(prefix="spanstore-demo-") as folder:
        data = keep or Path(folder)
        settings = demo_settings(data)
        app = App(settings)
        try:
            asyncio.run(_show(app, seconds, after))
        finally:
            app.close()
    if keep is None:
        click.echo("demo: stopped; its footage is removed (use --keep FOLDER to keep it)")


SLOW_S = 60
"""So much longer a machine that is busy may take until there is enough to ask for."""


async def _show(app: App, seconds: int, after: int) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    ffmpeg = find_ffmpeg(app.settings.capture.ffmpeg)
    cameras = []
    for i, name in enumerate(NAMES):
        url = f"rtsp://127.0.0.1:{free_port()}/{name}"
        document = parse_camera(name, {"url": url, "listen": True, "group": "demo"})
        app.catalog.cameras.put(document, app.clock.now(), None)
        cameras.append(SyntheticCamera(ffmpeg, url, app.clock, hue=90 * i))
    console = Console()
    begin = app.clock.monotonic()
    try:
        async with running(app) as service:
            for camera in cameras:
                camera.start()
            shown = False
            with Live(console=console, refresh_per_second=2, transient=False) as live:
                while not told.is_set():
                    elapsed = app.clock.monotonic() - begin
                    live.update(await asyncio.to_thread(_table, app, service, elapsed))
                    late = elapsed > after + SLOW_S
                    if elapsed > after and not shown and (late or _enough(app)):
                        live.console.print(
                            await asyncio.to_thread(_examples, app), soft_wrap=True, highlight=False
                        )
                        shown = True
                    if seconds and elapsed > seconds and (shown or late):
                        break
                    try:
                        await asyncio.wait_for(told.wait(), 1)
                    except TimeoutError:
                        continue
    finally:
        for camera in cameras:
            camera.stop()


def _table(app: App, service: Service, elapsed: float) -> Table:
    table = Table(title=f"Spanstore demo, {elapsed:.0f} s; Ctrl-C ends it")
    for column in ("camera", "state", "in", "footage", "gaps", "sealed", "in store"):
        table.add_column(column)
    now = app.clock.now()
    states = service.capture.states() if service.capture is not None else {}
    healths = []
    for camera in app.catalog.cameras.all():
        stream, document = app.finder.stream_of(camera.name)
        line = app.view.timeline(stream, TimeRange(now - 3600 * SECOND, now), document)
        state = states.get(stream)
        segments = app.catalog.footage.segments(stream, line.range)
        copies = app.catalog.footage.copies(segments)
        stored = sum(1 for found in copies.values() if any(not copy.in_spool for copy in found))
        footage = sum(span.range.duration_ns for span in line.spans)
        first = line.spans[0].start if line.spans else now  # until then it was being connected
        dark = ", ".join(
            f"{gap.cause} {format_duration(gap.range.duration_ns // 10**8 * 10**8)}"
            for gap in line.gaps
            if gap.cause != Cause.OFF_SCHEDULE and gap.range.start >= first
        )
        table.add_row(
            camera.name,
            state.state if state else "-",
            f"{state.bytes_in / 1e6:.1f} MB" if state else "-",
            format_duration(footage // 10**8 * 10**8),
            dark or "none",
            str(len(segments)),
            str(stored),
        )
        healths.append(f"{camera.name}: {_health(service, stream)}")
    table.caption = "\n".join(healths)
    return table


def _health(service: Service, stream: StreamId) -> str:
    """Say in a few words how a stream does."""
    book = service.capture.book if service.capture is not None else None
    figures = book.of(stream) if book is not None else {}
    if book is None or not figures:
        return "its first segment is being recorded"
    restarts = sum(figures["restarts"].values())
    said = [
        f"key frame every {figures['key_frame_s']:g} s",
        f"{number_of(figures['missing'], 'frame')} missing",
        number_of(restarts, "restart"),
        f"{figures['arrival_ms']:g} ms late",
    ]
    return ", ".join([*said, *book.habits(stream)])


def _enough(app: App) -> bool:
    """Tell whether all of the range that is asked for has been recorded."""
    stream, document = app.finder.stream_of(NAMES[0])
    line = app.view.timeline(stream, _asked(app), document)
    return not line.gaps


def _asked(app: App) -> TimeRange:
    """Return the 7.4 s that the demo asks for."""
    end = app.clock.now() - 4 * SECOND
    return TimeRange(end - 7_400_000_000, end)


def _examples(app: App) -> str:
    """Ask for 7.4 s of footage and say how to ask for more."""
    name = NAMES[0]
    base = f"http://{app.settings.api.listen}/api/v1/cameras/{name}"
    asked = _asked(app)
    query = f"start={format_instant(asked.start, 3)}&end={format_instant(asked.end, 3)}"
    lines = [
        "",
        "Try these in another terminal:",
        "",
        f"  curl '{base}/timeline?{query}'",
        f"  curl -o clip.mp4 '{base}/clip.mp4?{query}'",
        f"  playback, in any HLS player: {base}/playback.m3u8?{query}",
        "",
    ]
    try:
        stream, document = app.finder.stream_of(name)
        line = app.view.timeline(stream, asked, document)
        with app.view.find_some(stream, asked) as found:
            clip = make_clip(app.view, found, asked)
            size = sum(len(block) for block in clip.read())
        part = clip.parts[0]
        lines += [
            f"  timeline: {number_of(len(line.spans), 'span')}, "
            f"{number_of(len(line.gaps), 'gap')}, "
            f"{format_duration(line.covered_ns)} of {format_duration(asked.duration_ns)} covered",
            f"  clip.mp4: {size} bytes, {number_of(part.frames, 'frame')}, "
            f"{(part.clip_end_ns - part.clip_start_ns) / SECOND:.3f} s, first frame "
            f"{format_instant(part.range.start, 3)}",
            f"  playback.m3u8: {_playlist_facts(app, asked)}",
            "",
        ]
    except RecorderError as exc:
        lines += [f"  not yet: {exc}", f"  hint: {exc.hint}", ""]
    return "\n".join(lines)


def _playlist_facts(app: App, asked: TimeRange) -> str:
    from recorder.playback.hls import Address, playlist

    stream, _ = app.finder.stream_of(NAMES[0])
    with app.view.find_some(stream, asked) as found:
        text = playlist(found.segments, asked, lambda one, *_: Address(one.key), False)
    return f"{number_of(text.count('#EXTINF'), 'group')} of pictures"


COMMANDS = (demo,)
