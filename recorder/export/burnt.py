"""Copies with masks and a visible mark burnt in: decoded, covered, encoded anew.

Each frame of the copy has the time of the frame it was made of; sound is copied as it is.  What
covers is drawn here, as a picture of the video's own size, and laid over by ffmpeg; text comes to
it in a file, so nothing that people write is ever read as a command.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recorder.errors import MalformedMedia, StateError, UnavailableError
from recorder.export.clip import Clip
from recorder.export.covers import alpha_of, black_of
from recorder.model.masks import Mask, Privacy
from recorder.model.timebase import SECOND
from recorder.process import run

SCRATCH = "burning"
"""The folder of a spool where copies are made that nobody waits for as a job."""
FIXED_S = 60.0
"""To start, and to write the end."""
SLOWEST = 20.0
"""So much longer than the footage the work may take: 4K on a busy machine takes ten times."""
FULL = os.strerror(errno.ENOSPC)
MOST_LINE, MOST_LINES = 96, 4
SOFT = 32
"""Of a blurred part as many fields remain from left to right of the whole picture."""
BEFORE = "setpts=-3600/TB"
"""What covers is there before the first frame, whatever time that has."""


@dataclass(frozen=True, slots=True)
class Burn:
    """What is burnt into a copy: masks, and lines of a visible mark."""

    masks: tuple[Mask, ...] = ()
    mark: tuple[str, ...] = ()


NOTHING = Burn()


def burn_of(camera: object, privacy: Privacy, mark: Sequence[str], *, masked: bool) -> Burn:
    """Say what is burnt into a copy of a camera's footage.

    Raises: ``StateError`` when masks are asked for and there are none, or none that can be read.
    """
    if masked and privacy.unreadable:
        raise StateError(
            f"camera {camera}: its masks cannot be read by this release",
            hint="bring this site to the release of the one that wrote them",
        )
    if masked and not privacy.masks:
        raise StateError(
            f"camera {camera}: has no masks, so no masked copy can be made",
            hint="its document says what copies hide: masks",
        )
    return Burn(privacy.masks if masked else (), lines_of(mark))


def lines_of(words: Iterable[str]) -> tuple[str, ...]:
    r"""Return the lines of a mark: each of what can be seen, and no longer than fits.

    >>> lines_of(["a%{pts}:'b'", "", "two\nlines"])
    ("a%{pts}:'b'", 'two lines')
    """
    found = []
    for one in words:
        plain = " ".join("".join(c if c.isprintable() else " " for c in one).split())
        found += [plain[i : i + MOST_LINE] for i in range(0, len(plain), MOST_LINE)]
    return tuple(found[:MOST_LINES])


@contextlib.contextmanager
def burnt_clip(clip: Clip, burn: Burn, ffmpeg: str, folder: Path) -> Iterator[Path]:
    """Make the copy of a clip; its file is there until the context ends.

    ``folder``: where room for both is.
    Raises: ``MalformedMedia`` when it cannot be decoded, or takes too long; ``StateError``.
    """
    segments = clip.file.segments
    sizes = {(one.width, one.height) for one in segments}
    scales = {one.timescale for one in segments}
    if len(sizes) != 1 or len(scales) != 1 or (0, 0) in sizes:
        raise StateError(
            f"{segments[0].stream}: the picture's size changes within the range",
            hint="ask for a range on one side of the change",
        )
    (width, height), scale = sizes.pop(), scales.pop()
    shown_s = sum(part.clip_end_ns - part.clip_start_ns for part in clip.parts) / SECOND
    with tempfile.TemporaryDirectory(prefix="burning.", dir=folder) as name:
        inside = Path(name)
        with (inside / "in.mp4").open("wb") as file:
            for block in clip.read():
                file.write(block)
        argv = [
            *_inputs(ffmpeg, inside, ["-f", "mp4", "-i", "in.mp4"], burn, (width, height)),
            *[
                "-map",
                "0:a?",
                "-c:a",
                "copy",
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-crf",
                "20",
                "-bf",
                "0",
            ],
            *f"-fps_mode passthrough -enc_time_base 1:{scale}".split(),
            *f"-video_track_timescale {scale} -movflags +faststart".split(),
            *("-metadata", f"description={_said(burn)}"),
            *["-f", "mp4", "out.mp4"],
        ]
        _run(argv, inside, FIXED_S + SLOWEST * shown_s)
        (inside / "in.mp4").unlink()
        yield inside / "out.mp4"


def burnt_picture(jpeg: bytes, burn: Burn, ffmpeg: str, folder: Path) -> bytes:
    """Make the copy of a picture.

    ``folder``: where what a death leaves of the clear one is swept; it is made.
    Raises: ``MalformedMedia``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="burning.", dir=folder) as name:
        inside = Path(name)
        (inside / "in.jpg").write_bytes(jpeg)
        argv = [
            *_inputs(ffmpeg, inside, ["-f", "mjpeg", "-i", "in.jpg"], burn, size_of(jpeg)),
            "-frames:v",
            "1",
            "-q:v",
            "2",
            "-f",
            "mjpeg",
            "out.jpg",
        ]
        _run(argv, inside, FIXED_S)
        return (inside / "out.jpg").read_bytes()


def _said(burn: Burn) -> str:
    what = " and ".join(
        text for text, there in (("masks", burn.masks), ("a mark", burn.mark)) if there
    )
    return f"a copy with {what} burnt in, encoded anew; not the footage as it was recorded"


def _inputs(
    ffmpeg: str, inside: Path, source: Sequence[str], burn: Burn, size: tuple[int, int]
) -> list[str]:
    """Write what covers into files; return the beginning of the command."""
    width, height = size
    argv = [ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "2", *source]
    steps, last, number = list[str](), "0:v:0", 1
    for fill, write, format_ in (("blur", alpha_of, "gray"), ("black", black_of, "yuva420p")):
        masks = [one.polygon for one in burn.masks if one.fill == fill]
        if not masks:
            continue
        with (inside / fill).open("wb") as file:
            file.writelines(write(masks, width, height))
        argv += f"-f rawvideo -pixel_format {format_} -video_size {width}x{height}".split()
        argv += f"-framerate 1 -i {fill}".split()
        if fill == "blur":
            soft = f"{SOFT}:{max(2, SOFT * height // width)}:flags=area"
            steps += [
                f"[{last}]format=yuv420p,split[clear][soft]",
                f"[soft]scale={soft},scale={width}:{height}:flags=bilinear[softer]",
                f"[{number}:v]{BEFORE}[where]",
                "[softer][where]alphamerge[cover]",
                "[clear][cover]overlay=format=yuv420[blurred]",
            ]
            last = "blurred"
        else:
            steps += [
                f"[{number}:v]{BEFORE}[cover2]",
                f"[{last}][cover2]overlay=format=yuv420[blackened]",
            ]
            last = "blackened"
        number += 1
    if burn.mark:
        (inside / "mark.txt").write_text("\n".join(burn.mark), encoding="utf-8")
        look = "fontsize=max(11\\,h/36):fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=6"
        steps.append(
            f"[{last}]drawtext=textfile=mark.txt:expansion=none:{look}:x=12:y=h-th-12[marked]"
        )
        last = "marked"
    steps.append(f"[{last}]format=yuv420p[out]")
    return [*argv, "-filter_complex", ";".join(steps), "-map", "[out]"]


def _run(argv: Sequence[str], inside: Path, deadline_s: float) -> None:
    """Run ffmpeg in the folder of its files, no longer than so.

    Raises: ``MalformedMedia``; ``StateError`` where there is no font; ``UnavailableError`` where
    there is no room.
    """
    try:
        done = run(argv, deadline_s, cwd=inside)
    except TimeoutError:
        raise MalformedMedia(
            f"burning masks or a mark in took longer than {deadline_s:.0f} s"
        ) from None
    if done.returncode:
        text = done.stderr.decode(errors="replace").strip()
        said = text.splitlines()
        if FULL in text:
            raise UnavailableError(f"room for a copy: {inside.parent}: {FULL}")
        if "font" in text.lower():
            raise StateError(
                f"a mark needs a font, and this machine has none: {said[0][:200]}",
                hint="Debian: apt-get install fontconfig-config fonts-dejavu-core",
            )
        raise MalformedMedia(f"ffmpeg made no copy: {said[-1] if said else 'it said nothing'}")


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Return width and height of a JPEG.  Source: ITU-T T.81, annex B.

    Raises: ``MalformedMedia``.
    """
    at = 2
    while at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = jpeg[at + 5 : at + 7], jpeg[at + 7 : at + 9]
            return int.from_bytes(width, "big"), int.from_bytes(height, "big")
        at += 2 + length
    raise MalformedMedia("a picture says no size")
