"""What the installed ffmpeg can do, asked of the program itself once."""

from __future__ import annotations

import functools
import subprocess


@functools.cache
def checks_rtsps(program: str) -> bool:
    """Say whether its RTSP reader can check a certificate (5.1 cannot, and does not)."""
    try:
        done = subprocess.run(
            [program, "-hide_banner", "-h", "demuxer=rtsp"],
            capture_output=True, stdin=subprocess.DEVNULL, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return True  # a program that does not run says so itself when it is to record
    return b"tls_verify" in done.stdout
