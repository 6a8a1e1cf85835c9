"""Free loopback ports for what listens on this machine for a while."""

from __future__ import annotations

import socket
from pathlib import Path

from recorder.clock import SystemClock

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_CLOCK = SystemClock()
LOWEST = 28_000


def free_port() -> int:
    """Find a port that is free now, below those the system gives to connections.

    A port of the system's own choice may be taken by somebody's connection before a server
    listens at it, or while that server is started again.  Raises: ``OSError`` without any.
    """
    end = highest()
    for _ in range(1000):
        port = LOWEST + int(_CLOCK.jitter() * (end - LOWEST))  # two that start together differ
        if is_free(port):
            return port
    raise OSError(f"no free port from {LOWEST} to {end}")


def highest() -> int:
    """Return the first port that the system gives to connections."""
    return int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768


def is_free(port: int) -> bool:
    """Tell whether nobody listens at a loopback port, by TCP or UDP."""
    try:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
