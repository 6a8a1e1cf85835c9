"""Names of a bundle's files: no two streams share one, and those of older bundles are known."""

from __future__ import annotations

from pathlib import Path

from recorder.model.keys import StreamId
from tests.support.bundles import look, sign_again
from tests.support.exhibit import Exhibit
from tests.support.make import T0

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
