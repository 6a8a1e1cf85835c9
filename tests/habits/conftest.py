"""One recording of all cameras of a module, asked by all its tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import media
from tests.support.habits import Recording
from tests.support.quirk_camera import QuirkCamera


@pytest.fixture(
    scope="module", params=["", pytest.param(media.FF5, marks=pytest.mark.long)], ids=["own", "5.1"]
)
def recording(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Recording]:
    """The module's ``CAMERAS``, recorded at once for ``SECONDS``; ``SEGMENT_S`` by their stamps."""
    cameras = {name: QuirkCamera(habits) for name, habits in request.module.CAMERAS.items()}
    documents = getattr(request.module, "DOCUMENTS", {})
    folder = tmp_path_factory.mktemp("habits")
    segment_s = getattr(request.module, "SEGMENT_S", 4)
    one = Recording(folder, cameras, segment_s=segment_s, ffmpeg=request.param, documents=documents)
    try:
        yield one.run(request.module.SECONDS)
    finally:
        one.close()
