"""Activity: motion hinted at by sizes alone, on sources with and without movement.

Claim: hit and false rates as stated in bench/README.md; and the compiled scores are at least
5 times faster than the twin's.

Method: a still scene with temporal noise (day, night) is encoded by x264 as a camera would
(constant quality, capped, constant bit rate), 120 s at 25 frames/s, a clean point every 2 s.
Three times a textured thing moves through it for 3 to 10 s: small (0.2 % of the picture),
a person (1.6 %), a car (6 %).  One source has its light switched every 20 s instead.  A GOP
that something moves in counts as hit when its score reaches the threshold; any other that
does is false.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.timing import median, seconds
from recorder import _index_py, index
from recorder.bmff.init import read_init
from tests.support.media import FF9

MOVES = ((30, 36), (60, 63), (90, 100))
SECONDS = 120
THINGS = {"small": (16, 24, 40), "person": (40, 90, 60), "car": (160, 90, 200)}
NOISES = {"day": 8, "night": 25}
RATES = {
    "quality": ["-crf", "25"],
    "capped": ["-b:v", "1M", "-maxrate", "2M", "-bufsize", "2M"],
    "constant": ["-b:v", "1M", "-minrate", "1M", "-maxrate", "1M", "-bufsize", "500k",
                 "-x264-params", "nal-hrd=cbr"],
}  # fmt: skip
SCENE = "color=c=gray:s=640x360:r=25,geq=lum='128+60*sin(X/23)*cos(Y/17)+20*sin(X/3)':cb=128:cr=128"


def encode(folder: Path, noise: int, thing: tuple[int, int, int] | None, rate: list[str]) -> Path:
    """Encode one source; without a thing, its light changes instead."""
    wide, high, speed = thing or (16, 16, 0)
    when = "+".join(f"between(t,{a},{b})" for a, b in MOVES)
    texture = f"color=c=gray:s={wide}x{high}:r=1,geq=lum='40+mod(floor(X/5)*70+floor(Y/7)*40,200)'"
    for name, graph in (("scene", SCENE), ("thing", texture + ":cb=100:cr=160")):
        subprocess.run(
            [FF9, "-v", "error", "-y", "-f", "lavfi", "-i", graph, "-frames:v", "1",
             str(folder / f"{name}.png")], check=True,
        )  # fmt: skip
    light = "" if thing else "eq=brightness='if(gt(mod(t,40),20),0.06,0)':eval=frame,"
    move = f"overlay=x='mod(t*{speed},640)':y=150:enable='{when if thing else 0}'"
    path = folder / "out.mp4"
    loop = ["-loop", "1", "-framerate", "25", "-t", str(SECONDS), "-i"]
    subprocess.run(
        [FF9, "-v", "error", "-y", *loop, str(folder / "scene.png"), *loop,
         str(folder / "thing.png"), "-filter_complex",
         f"[0:v][1:v]{move},{light}noise=alls={noise}:allf=t,format=yuv420p[o]", "-map", "[o]",
         "-r", "25", "-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-g", "50",
         "-keyint_min", "50", "-sc_threshold", "0", *rate, "-movflags",
         "empty_moov+default_base_moof+frag_keyframe", str(path)], check=True,
    )  # fmt: skip
    return path


def judge(path: Path, *, moves: bool) -> dict[str, Any]:
    """Count hits and false hints; the first 20 s are left out, while the scene is learnt."""
    body = path.read_bytes()
    track = index.scan(body, read_init(body)).table.tracks[0]
    scores, _ = index.activity(track, (0, 0))
    hits = false = moving = still = 0
    for i, score in enumerate(scores[10:], 10):
        if moves and any(2 * i < end and 2 * i + 2 > start for start, end in MOVES):
            moving, hits = moving + 1, hits + (score >= index.MOTION)
        else:
            still, false = still + 1, false + (score >= index.MOTION)
    seen = sum(
        1 for start, end in MOVES
        if any(score >= index.MOTION for score in scores[start // 2 : -(-end // 2)])
    )  # fmt: skip
    return {"gops_hit": f"{hits}/{moving}", "moves_seen": f"{seen if moves else 0}/3",
            "false": f"{false}/{still}"}  # fmt: skip


def speed() -> dict[str, Any]:
    """Compare compiled and twin on a minute of frames."""
    from tests.support.make import table

    track = table(1500).tracks[0]
    columns = (track.size, track.sync, track.first, 0, 0)
    compiled = median(seconds(lambda: index._impl.activity(*columns), 2000))
    twin = median(seconds(lambda: _index_py.activity(*columns), 200))
    return {"minute_us": round(compiled * 1e6, 2), "faster_than_twin": round(twin / compiled, 1)}


def measure() -> dict[str, Any]:
    """Measure all sources."""
    found: dict[str, Any] = {"threshold": index.MOTION, **speed()}
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rate, flags in RATES.items():
            for light, noise in NOISES.items():
                for what, thing in THINGS.items():
                    path = encode(folder, noise, thing, flags)
                    found[f"{rate}, {light}, {what}"] = judge(path, moves=True)
        path = encode(folder, NOISES["day"], None, RATES["quality"])
        found["quality, day, light switched"] = judge(path, moves=False)
    found["took_s"] = round(time.monotonic() - begin)
    return found
