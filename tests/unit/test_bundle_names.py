"""Names of a bundle's files: no two streams share one, and those of older bundles are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from recorder.model.keys import StreamId
from recorder.model.offered import offers
from recorder.reading.extent import OnDisk
from tests.support.bundles import look, sign_again
from tests.support.exhibit import STORE, Exhibit
from tests.support.make import STREAM, T0

ONE, OTHER = StreamId("post", "a_gate", "main"), StreamId("post_a", "gate", "main")


def test_cameras_whose_names_run_into_each_other_make_a_bundle_that_holds(tmp_path: Path) -> None:
    exhibit = Exhibit(tmp_path / "site")
    for one in (ONE, OTHER):
        exhibit.record(T0, 5, one)
    made = exhibit.bundle(tmp_path / "made", 1, 8, cameras=["post/a_gate", "post_a/gate"])
    assert look(made).faults == []
    assert len(list((made / "pictures").iterdir())) == 4
    chains = sorted(one.name for one in (made / "chain").iterdir())
    assert chains == ["post.a_gate.main.json", "post_a.gate.main.json"]
    proven = look(made).proven
    (made / "chain" / chains[0]).rename(made / "chain/post_a_gate_main.json")
    sign_again(made, exhibit.app.press.signer())
    assert look(made).proven == proven, "a bundle made before had names joined in one way"
    exhibit.close()


def test_a_camera_named_with_and_without_its_site_is_in_a_bundle_once(tmp_path: Path) -> None:
    exhibit = Exhibit(tmp_path / "site")
    site, camera = STREAM.site, STREAM.camera
    made = exhibit.bundle(tmp_path / "made", 1, 4, cameras=[camera, f"{site}/{camera}", camera])
    assert look(made).faults == []
    assert len(list((made / "clips").iterdir())) == 1
    exhibit.close()


def test_each_segment_of_a_bundle_is_read_once_for_clips_and_pictures_too(tmp_path: Path) -> None:
    exhibit = Exhibit(tmp_path / "site")
    opened: list[str] = []
    store = exhibit.app.stores[STORE]
    assert offers(store, OnDisk)

    def noted(key: str, way: Callable[[str], BinaryIO] = store.open) -> BinaryIO:
        opened.append(key)
        return way(key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "open", noted)
        made = exhibit.bundle(tmp_path / "made")
    found = (made / "native").rglob("*.mp4")
    assert sorted(opened) == sorted(one.relative_to(made / "native").as_posix() for one in found)
    assert opened
    assert list((made / "pictures").iterdir())
    exhibit.close()
