"""Whether anybody is asked who he is: it is known, or everybody is."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from unittest.mock import patch

import pytest

from recorder.api import entry
from recorder.app import App
from recorder.config import load_settings
from recorder.errors import CatalogUnavailable
from tests.support.access import ADMIN, ask


def test_on_loopback_everything_is_open_until_there_is_a_user(tmp_path: Path) -> None:
    app = App(load_settings(None, data=tmp_path))
    assert ask(app, "GET", "/api/v1/cameras").status_code == 200
    app.people.put("ana", ADMIN)
    app.knower.forget()
    assert ask(app, "GET", "/api/v1/cameras").status_code == 401
    assert ask(app, "GET", "/healthz").status_code == 200
    app.close()
    again = App(load_settings(None, data=tmp_path))  # and while the catalog is away
    assert again.knower.said() is None
    with patch.object(again.catalog.accounts, "any", side_effect=CatalogUnavailable("away")):
        assert again.knower.look_whether() is again.knower.said() is True
    again.close()


def test_while_the_disk_does_not_say_whether_there_are_users_everybody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, right, told = App(load_settings(None, data=tmp_path)), Path.lstat, threading.Event()

    def hang(path: Path) -> os.stat_result:
        if path.name == "access-on":
            told.wait(60)
            raise OSError(errno.EIO, "Input/output error")
        return right(path)

    monkeypatch.setattr(Path, "lstat", hang)
    monkeypatch.setattr(entry, "PATIENCE_S", 0.01)
    for path, status in (("/healthz", 200), ("/api/v1/cameras", 401)):
        assert ask(app, "GET", path).status_code == status
    told.set()
    assert app.knower.look_whether() is True, "nor while it fails"
    assert not (tmp_path / "access-on").exists()
    monkeypatch.undo()
    app.knower.forget()
    assert ask(app, "GET", "/api/v1/cameras").status_code == 200
    app.close()
