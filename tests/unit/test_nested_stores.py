"""Two stores of which one lies in the other's folder are not two places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recorder.config import load_settings
from recorder.errors import ConfigError


@pytest.mark.parametrize("names", [("main", "second"), ("second", "main")])
def test_a_store_in_the_folder_of_another_is_refused(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    """A rebuild took one's footage for the other's, whose shorter rules then let it go."""
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    paths = (f"{tmp_path}/a", f"{tmp_path}/link/b")
    stores = [{"name": name, "kind": "directory", "path": path}
              for name, path in zip(names, paths, strict=True)]  # fmt: skip
    config = tmp_path / "recorder.yaml"
    config.write_text(json.dumps({"stores": stores}))
    said = f"store {names[1]} lies in the folder of store {names[0]}"
    with pytest.raises(ConfigError, match=said) as caught:
        load_settings(config)
    assert caught.value.hint
    stores[1]["path"] = f"{tmp_path}/ab"
    config.write_text(json.dumps({"stores": stores}))
    load_settings(config)
