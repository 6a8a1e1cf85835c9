"""A network of one's own: a namespace for each site, and a router between them that can fail.

What a proxy cannot do: a line on which packets just vanish, so that nobody is told.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Network:
    """Namespaces ``<prefix><site>``, each on a line of its own to a router.

    Site number ``i`` has the address ``10.213.<i>.2``.
    """

    def __init__(self, *sites: str) -> None:
        if os.getuid() != 0:
            pytest.fail("a network of one's own needs root")
        self.prefix = f"ss{os.getpid()}-"
        self.router = self.prefix + "wan"
        self.numbers = {site: i for i, site in enumerate(sites, 1)}
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        _ip("netns", "add", self.router)
        for site, i in self.numbers.items():
            name, line = self.prefix + site, f"line{i}"
            _ip("netns", "add", name)
            _ip("link", "add", line, "netns", self.router, "type", "veth",
                "peer", "name", "uplink", "netns", name)  # fmt: skip
            _ip("-n", name, "address", "add", f"10.213.{i}.2/24", "dev", "uplink")
            _ip("-n", self.router, "address", "add", f"10.213.{i}.1/24", "dev", line)
            for where, device in ((name, "lo"), (name, "uplink"), (self.router, line)):
                _ip("-n", where, "link", "set", "dev", device, "up")
            _ip("-n", name, "route", "add", "default", "via", f"10.213.{i}.1")
        self.heal()

    def close(self) -> None:
        """Take it down."""
        for name in (*(self.prefix + site for site in self.numbers), self.router):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def address(self, site: str) -> str:
        """Return a site's address."""
        return f"10.213.{self.numbers[site]}.2"

    def under(self, site: str) -> list[str]:
        """Return what starts a command at a site."""
        return ["ip", "netns", "exec", self.prefix + site]

    def cut(self) -> None:
        """Let every packet between sites vanish."""
        self._forward(0)

    def heal(self) -> None:
        """Let packets through."""
        self._forward(1)

    def _forward(self, on: int) -> None:
        argv = ["ip", "netns", "exec", self.router, "sysctl", "-qw", f"net.ipv4.ip_forward={on}"]
        subprocess.run(argv, check=True)

    def throttle(self, site: str, rate: str) -> None:
        """Let no more than ``rate`` (``4mbit``) through to a site."""
        argv = ["tc", "-n", self.router, "qdisc", "add", "dev", f"line{self.numbers[site]}", "root",
                "tbf", "rate", rate, "burst", "32kbit", "latency", "400ms"]  # fmt: skip
        subprocess.run(argv, check=True)

    @contextmanager
    def inside(self, site: str) -> Iterator[None]:
        """Make this thread one of a site's: sockets that it makes stay there."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(Path("/run/netns") / (self.prefix + site), os.O_RDONLY)
        try:
            _enter(there)
            yield
        finally:
            _enter(here)
            os.close(there)
            os.close(here)


def _enter(handle: int) -> None:
    if LIBC.setns(handle, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
