"""Fixtures that many tests share."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

from tests.support import media, quick
from tests.support.media import numbered
from tests.support.nodes import Node, RtspServer
from tests.support.postgres import Postgres
from tests.support.rgw import Rgw, start_rgw

T = TypeVar("T")

# how long an example takes says how busy the machine is, and nothing of what is tested
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
quick.quicken_catalogs()
gc.disable()  # until all is collected: what is imported stays, and each worker looked at it again


REAL = ("e2e", "fault", "habits", "integration", "scenario")
"""Folders of tests that mostly wait: for cameras, servers, the time that passes."""
LAST = 0.85
"""So much of the others is begun before the last of those: the short ones fill the end."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have workers make what a module shares once, and wait and work at the same time."""
    if not hasattr(config, "workerinput"):
        return
    alone: list[pytest.Item] = []
    for item in items:
        if item.get_closest_marker("xdist_group") is None and shares(item):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        if item.get_closest_marker("xdist_group") is None:
            alone.append(item)
    real = [one for one in reversed(alone) if is_real(one)]  # scenarios first: they wait longest
    others = [one for one in alone if not is_real(one)]
    last = int(LAST * len(others))
    grouped = [one for one in items if one not in set(alone)]  # the largest group is begun first
    items[:] = grouped + between(real, others[:last]) + others[last:]


def shares(item: pytest.Item) -> bool:
    """Tell whether a test uses what is made once for a module."""
    if not isinstance(item, pytest.Function):
        return False
    found = item._fixtureinfo.name2fixturedefs.values()
    return any(one.scope in ("module", "package") for fixtures in found for one in fixtures)


def is_real(item: pytest.Item) -> bool:
    """Tell whether a test waits for real things."""
    tests = Path(__file__).parent
    return item.path.is_relative_to(tests) and item.path.relative_to(tests).parts[0] in REAL


def between(few: list[T], many: list[T]) -> list[T]:
    """Spread few evenly among many; each keeps its order."""
    places = [(i / len(few), 0, one) for i, one in enumerate(few)]
    places += [(i / len(many), 1, one) for i, one in enumerate(many)]
    return [one for *_, one in sorted(places, key=lambda place: place[:2])]


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
    return numbered(media_folder, "hevc", 30, (("codec", "libx265"), ("size", "1152x96")))


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
