"""Fixtures that many tests share."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import media, quick
from tests.support.media import numbered
from tests.support.nodes import Node, RtspServer
from tests.support.postgres import Postgres
from tests.support.rgw import Rgw, start_rgw

# how long an example takes says how busy the machine is, and nothing of what is tested
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
quick.quicken_catalogs()
gc.disable()  # until all is collected: what is imported stays, and each worker looked at it again


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run where pytest-xdist cannot keep a group on one worker: it says nothing."""
    gc.enable()
    gc.freeze()
    if not getattr(session.config.option, "loadgroup", False):
        return
    for item in session.items:
        if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: its xdist_group is not honoured")


@pytest.fixture(scope="session")
def media_folder() -> str:
    """Folder of test media, shared by the workers of one run."""
    return str(media.media_folder())


@pytest.fixture(scope="session")
def h264_file(media_folder: str) -> Path:
    """Two minutes of numbered H.264, GOP 2 s."""
    return numbered(media_folder, "h264", 120, ())


@pytest.fixture(scope="session")
def bframes_aac_file(media_folder: str) -> Path:
    """A minute of numbered H.264 with B-frames, and AAC."""
    return numbered(media_folder, "bframes", 60, (("bframes", 2), ("audio", "aac")))


@pytest.fixture(scope="session")
def alaw_file(media_folder: str) -> Path:
    """A minute of numbered H.264 with G.711."""
    return numbered(media_folder, "alaw", 60, (("audio", "alaw"),))


@pytest.fixture(scope="session")
def hevc_file(media_folder: str) -> Path:
    """Half a minute of numbered H.265."""
    return numbered(media_folder, "hevc", 30, (("codec", "libx265"), ("size", "1152x200")))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A recorder node, not started yet; nothing of it is left behind."""
    one = Node(tmp_path / "node")
    yield one
    one.close()


@pytest.fixture
def camera(h264_file: Path) -> Iterator[RtspServer]:
    """A real RTSP camera with numbered frames, at ``/cam``."""
    server = RtspServer(cam=f"{h264_file}:h264").start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def rgw() -> Iterator[Rgw]:
    """A Ceph RGW; tests that use it share a worker (xdist_group ``rgw``)."""
    one = start_rgw()
    yield one
    one.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL; tests that use it share a worker (xdist_group ``pg``)."""
    one = Postgres()
    try:
        yield one.start()
    finally:
        one.stop()
