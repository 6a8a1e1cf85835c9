"""Free loopback ports for what listens on this machine for a while."""

from __future__ import annotations

import socket
from pathlib import Path

from recorder.clock import SystemClock

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_CLOCK = SystemClock()


def free_port() -> int:
    """Find a port that is free now, below those the system gives to connections.

    A port of the system's own choice may be taken by somebody's connection before a server
    listens at it, or while that server is started again.  Raises: ``OSError`` without any.
    """
    lowest, end = 10_000, int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    for _ in range(1000):
        port = lowest + int(_CLOCK.jitter() * (end - lowest))  # two that start together differ
        try:
            with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
    raise OSError(f"no free port from {lowest} to {end}")
