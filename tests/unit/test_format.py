"""The worked bytes of docs/design/format.md, and the sample settings, are true."""

from __future__ import annotations

import re
from array import array
from pathlib import Path

import recorder
from recorder import index
from recorder.config import Settings, load_settings
from recorder.index import FrameTable, TrackFrames

ROOT = Path(recorder.__file__).parent.parent


def test_the_worked_bytes_of_the_format_page_are_true() -> None:
    q = array
    track = TrackFrames(
        q("q", [0, 3600]), q("q", [300, 20]), q("q", [3600, 3600]), q("q", [0, 0]),
        q("q", [1, 0]), q("q", [1100, 1400]), q("q", [0, 2]),
    )  # fmt: skip
    table = FrameTable(q("q", [800]), q("q", [1420]), q("q", [-1]), q("q", [7]), (track,))
    packed = index.encode(table, 800).hex(" ")
    page = (ROOT / "docs/design/format.md").read_text()
    worked = re.findall(r"\| `([0-9a-f ]+)`", page[page.index("Worked:") :])
    assert packed == " ".join(worked)


def test_the_sample_settings_are_the_defaults_and_name_every_setting() -> None:
    sample = ROOT / "recorder.sample.yaml"
    loaded, plain = load_settings(sample), load_settings()
    assert loaded.model_dump(exclude={"node"}) == plain.model_dump(exclude={"node"})
    text = sample.read_text()

    def names(model: type) -> list[str]:
        found = []
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            found.append(name)
            if hasattr(field.annotation, "model_fields"):
                found += names(field.annotation)
        return found

    for name in names(Settings):
        assert re.search(rf"^\s*#?\s*(- )?{name}:", text, re.M), f"{name} is not in the sample"
