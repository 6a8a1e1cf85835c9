"""A synthetic camera: 1080p H.264 over real RTSP, with a burnt-in UTC clock and number."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable

from recorder.demo import picture
from recorder.ports import Clock


def encode_arguments(size: str, rate: int, gop: int, bitrate: str, hue: int = 0) -> list[str]:
    """Arguments from the strip on standard input to an H.264 stream of a test picture."""
    strip = f"{picture.WIDTH}x{picture.HEIGHT}"
    wide, high = picture.WIDTH * picture.SCALE, picture.HEIGHT * picture.SCALE
    graph = (
        f"[1:v]scale={wide}:{high}:flags=neighbor,format=yuv420p[strip];"
        f"[0:v]hue=h={hue}[base];[base][strip]overlay=0:0:shortest=1,format=yuv420p[out]"
    )
    return [
        *f"-f lavfi -i testsrc2=s={size}:r={rate}".split(),
        *f"-f rawvideo -pix_fmt gray -s {strip} -r {rate} -i pipe:0".split(),
        *("-filter_complex", graph),
        *["-map", "[out]", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"],
        *f"-g {gop} -bf 0 -b:v {bitrate} -maxrate {bitrate} -bufsize {bitrate}".split(),
    ]


class SyntheticCamera:
    """Pushes a test picture to ``url`` until stopped; starts again when the link breaks."""

    def __init__(self, ffmpeg: str, url: str, clock: Clock, *, hue: int = 0) -> None:
        self.argv = [
            ffmpeg,
            "-hide_banner",
            "-loglevel",
            "error",
            *encode_arguments("1920x1080", 25, 50, "4M", hue),
            "-f",
            "rtsp",
            "-rtsp_transport",
            "tcp",
            url,
        ]
        self.clock = clock
        self.rate = 25
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the camera and its process."""
        self._stopping.set()
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.kill()
        self._thread.join(5)

    def _run(self) -> None:
        frame = 0
        while not self._stopping.is_set():
            self._process = subprocess.Popen(
                self.argv, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
            )
            frame = self._feed(self._process, frame)
            self._process.kill()
            self._process.wait()
            self._stopping.wait(0.5)

    def _feed(self, process: subprocess.Popen[bytes], frame: int) -> int:
        """Write one strip per frame, in real time, until the pipe breaks."""
        assert process.stdin is not None  # noqa: S101 - made with a pipe
        begin, first = self.clock.monotonic(), frame
        pause: Callable[[float], bool] = self._stopping.wait
        with contextlib.suppress(OSError), process.stdin as pipe:
            while not self._stopping.is_set():
                due = begin + (frame - first) / self.rate
                wait = due - self.clock.monotonic()
                if wait > 0 and pause(wait):
                    break
                pipe.write(picture.strip(frame, self.clock.now()))
                pipe.flush()
                frame += 1
        return frame
