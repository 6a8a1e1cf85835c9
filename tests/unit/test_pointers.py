"""Secrets that settings point to."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from recorder.cli import recorder
from recorder.config import load_settings
from recorder.errors import ConfigError
from recorder.pointers import filled, secret

WORD = "p@ss/w:rd"


@pytest.fixture
def word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file and a variable with a password that a URL must not hold as it is."""
    path = tmp_path / "word"
    path.write_text(WORD + "\n")
    monkeypatch.setenv("T_WORD", WORD)
    monkeypatch.setenv("T_EMPTY", "")
    return path


def test_a_secret_is_where_the_setting_says(word: Path) -> None:
    assert secret("env:T_WORD", "x") == secret(f"file:{word}", "x") == WORD
    assert secret("", "x") == ""


@pytest.mark.parametrize(
    ("pointer", "said"),
    [
        ("env:T_NONE", "it is not set"),
        ("file:/none", "No such file"),
        ("hunter2", "not a pointer"),
        ("env:T_EMPTY", "is empty"),
    ],
)
def test_a_secret_that_is_not_there_is_an_error_that_does_not_say_it(
    word: Path, pointer: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        secret(pointer, "stores.main.secret_key")
    assert "hunter2" not in str(caught.value) + caught.value.hint
    with pytest.raises(ConfigError, match="secret_key"):
        secret(pointer, "stores.main.secret_key")


def test_a_secret_within_a_url_is_encoded_and_one_that_is_all_of_it_is_not(
    word: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = filled(f"postgresql://ann:{{file:{word}}}@db/recorder?x={{env:T_WORD}}", "catalog")
    assert url == "postgresql://ann:p%40ss%2Fw%3Ard@db/recorder?x=p%40ss%2Fw%3Ard"
    monkeypatch.setenv("T_URL", "postgresql://ann:x@db/recorder")
    assert filled("{env:T_URL}", "catalog") == "postgresql://ann:x@db/recorder"
    assert filled("sqlite:///x.db", "catalog") == "sqlite:///x.db"
    with pytest.raises(ConfigError, match="catalog: env:T_NONE"):
        filled("postgresql://ann:{env:T_NONE}@db/recorder", "catalog")


def test_catalog_and_parent_point_to_their_secrets_and_are_shown_without(
    word: Path, tmp_path: Path
) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(
        yaml.safe_dump({
            "catalog": f"postgresql://ann:{{file:{word}}}@db/recorder",
            "parent": "https://post1:{env:T_WORD}@centre.example.org",
        })
    )  # fmt: skip
    found = load_settings(path)
    assert found.catalog_url == "postgresql://ann:p%40ss%2Fw%3Ard@db/recorder"
    assert found.parent == "https://post1:p%40ss%2Fw%3Ard@centre.example.org"
    assert found.shared
    for form in ("--json", None):
        words = ["--config", str(path), "settings", "show", *([form] if form else [])]
        shown = CliRunner().invoke(recorder, words).output
        assert "db/recorder" in shown
        assert "p%40ss" not in shown
    path.write_text("parent: 'https://post1:{env:T_NONE}@centre.example.org'")
    with pytest.raises(ConfigError, match="parent: env:T_NONE"):
        load_settings(path)


def test_the_sample_comes_with_the_package(tmp_path: Path) -> None:
    printed = CliRunner().invoke(recorder, ["settings", "sample"]).output
    path = tmp_path / "sample.yaml"
    path.write_text(printed)
    assert load_settings(path).site == "default"
