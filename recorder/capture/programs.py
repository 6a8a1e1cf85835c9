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
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return True  # a program that does not run says so itself when it is to record
    return b"tls_verify" in done.stdout


@functools.cache
def decodable(program: str) -> frozenset[str]:
    """Name the codecs it can decode; all are believed to be when it does not say."""
    try:
        done = subprocess.run(
            [program, "-hide_banner", "-codecs"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return frozenset()
    rows = (line.split() for line in done.stdout.decode(errors="replace").splitlines())
    return frozenset(row[1] for row in rows if len(row) > 1 and row[0].startswith("D"))
