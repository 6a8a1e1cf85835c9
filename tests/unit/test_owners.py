"""One place has one name and one recorder: nothing is deleted while two write there."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from recorder.app import App
from recorder.cli import recorder
from recorder.cli.serve import running
from recorder.config import Settings, StorePart, load_settings
from recorder.doctor import examine
from recorder.errors import ConfigError, StoreRefused, StoreUnavailable
from recorder.janitor.owners import BEAT_S
from recorder.janitor.signs import MOST, NotedSigns
from recorder.jobs import retention, signing
from recorder.model.timebase import MINUTE, SECOND
from recorder.store.identity import IDENTITY_KEY, refuse_twins
from recorder.store.kept import PREFIX as DOCUMENTS
from recorder.store.owners import PREFIX, Owner, read_owners
from tests.support.clock import FakeClock
from tests.support.make import T0, stored

RULES = {"rules": [{"name": "all", "keep": {"any": "1m"}}], "blast_radius": "100%"}


class County:
    """Recorders of one site and node name, each with a catalog of its own, and one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "store"
        self.clock = FakeClock(T0)
        self.apps: list[App] = []

    def recorder(self, name: str, **more: Any) -> App:
        """Start a recorder, anew if there was one of that name."""
        part = StorePart(name="main", kind="directory", path=self.store)
        data = self.folder / name
        settings = {"site": "north", "node": "n1", "data": data, "grace": "0s", **more}
        app = App(Settings(stores=(part,), **settings))
        app.upkeep.owners._clock = self.clock
        self.apps.append(app)
        return app

    def run(self, name: str, *words: str) -> Any:
        config = self.folder / f"{name}.yaml"
        config.write_text(json.dumps({
            "site": "north", "node": "n1", "data": str(self.folder / name), "api": {"hosts": []},
            "stores": [{"name": "main", "kind": "directory", "path": str(self.store)}],
        }))  # fmt: skip
        return CliRunner().invoke(recorder, ["--config", str(config), *words])

    def files(self) -> dict[str, bytes]:
        return {str(one.relative_to(self.store)): one.read_bytes()
                for one in sorted(self.store.rglob("*")) if one.is_file()}  # fmt: skip

    def footage(self) -> list[str]:
        return [name for name in self.files() if name.endswith(".mp4")]

    def close(self) -> None:
        for app in self.apps:
            app.close()


@pytest.fixture
def county(tmp_path: Path) -> Iterator[County]:
    one = County(tmp_path)
    yield one
    one.close()


def record(app: App, start: int) -> None:
    """Put a segment that is past its age into the store, as shipping does."""
    app.admit("main")
    one, body = stored(start, counter=start // 4)
    app.stores["main"].put(one.key, body, "video/mp4", {})
    app.catalog.commits.add_segment(one, "main", "", T0)
    app.catalog.documents.put("policy", RULES, "ann", T0)
    app.upkeep.janitor.doubt(vouched=True)


# -- one place, one name -----------------------------------------------------------------


def linked(folder: Path) -> tuple[str, str]:
    (folder / "a").mkdir()
    (folder / "b").symlink_to(folder / "a")
    return str(folder / "a"), str(folder / "b")


@pytest.mark.parametrize(
    "places",
    [
        lambda folder: (f"{folder}/a", f"{folder}/a/"),
        lambda folder: (f"{folder}/a", f"{folder}/b/../a"),
        linked,
    ],
)
def test_one_folder_under_two_names_is_refused_naming_both(
    tmp_path: Path, places: Callable[[Path], tuple[str, str]]
) -> None:
    stores = [{"name": name, "kind": "directory", "path": path}
              for name, path in zip(("main", "second"), places(tmp_path), strict=True)]  # fmt: skip
    config = tmp_path / "recorder.yaml"
    config.write_text(json.dumps({"stores": stores}))
    with pytest.raises(ConfigError, match="stores main and second are one and the same") as caught:
        load_settings(config)
    assert caught.value.hint
    stores[1]["path"] = str(tmp_path / "else")
    config.write_text(json.dumps({"stores": stores}))
    load_settings(config)


@pytest.mark.parametrize(
    ("endpoint", "same"),
    [("https://S3.example.org:443/", True), ("https://s3.example.org.", True),
     ("https://s3.example.org:9000", False), ("http://s3.example.org", False)],
)  # fmt: skip
def test_one_bucket_under_two_names_is_refused(tmp_path: Path, endpoint: str, same: bool) -> None:
    stores = [
        {"name": "one", "kind": "s3", "endpoint": "https://s3.example.org", "bucket": "b"},
        {"name": "two", "kind": "s3", "endpoint": endpoint, "bucket": "b"},
    ]
    config = tmp_path / "recorder.yaml"
    config.write_text(json.dumps({"stores": stores}))
    if same:
        with pytest.raises(ConfigError, match="stores one and two"):
            load_settings(config)
    else:
        load_settings(config)


def mounted_twice(folder: Path) -> App:
    """A node with one place under two paths that nothing but what it holds shows to be one."""
    parts = tuple(StorePart(name=n, kind="directory", path=folder / n) for n in ("main", "second"))
    app = App(Settings(site="north", node="n1", data=folder / "data", stores=parts))
    app.admit("main")
    (folder / "second").mkdir()
    (folder / "second" / IDENTITY_KEY).write_bytes((folder / "main" / IDENTITY_KEY).read_bytes())
    return app


def test_one_place_under_two_names_is_refused_by_what_it_shows(tmp_path: Path) -> None:
    app = mounted_twice(tmp_path)
    for name in ("second", "second", "main"):
        if name == "main":  # as an older release registered both
            app.catalog.identities.register("second", str(app.catalog.identities.of("main")))
        with pytest.raises(StoreRefused, match=r"main and second|second and main") as caught:
            app.admit(name)
        assert "out of the settings" in caught.value.hint
        with pytest.raises(StoreRefused, match="one and the same"):
            app.admission.look(name)
    app.close()


def test_no_node_starts_with_one_place_under_two_names(tmp_path: Path) -> None:
    app = mounted_twice(tmp_path)
    app.settings = app.settings.model_copy(update={"roles": ("janitor",)})

    async def start() -> None:
        async with running(app):
            pytest.fail("it runs")

    with pytest.raises(StoreRefused, match="stores main and second are one and the same"):
        asyncio.run(start())
    (tmp_path / "second" / IDENTITY_KEY).unlink()
    (tmp_path / "main").rename(tmp_path / "away")
    refuse_twins(app.stores.values())  # who is away, or shows nothing, holds up no start
    app.close()


# -- one owner ---------------------------------------------------------------------------


def test_a_second_recorder_of_a_site_is_refused_while_the_first_lives(county: County) -> None:
    first, second = county.recorder("a"), county.recorder("b")
    record(first, 0)
    before = county.files()
    county.clock.at += 15 * MINUTE
    for adopt in (False, True):
        with pytest.raises(StoreRefused, match="another recorder writes there as site north"):
            second.admit("main", adopt=adopt)
    assert county.files() == before
    county.clock.at += 2 * MINUTE
    with pytest.raises(StoreRefused, match="another recorder wrote there") as caught:
        second.admit("main")  # silence alone gives it to nobody
    assert "recorder store adopt main" in caught.value.hint
    second.admit("main", adopt=True)
    (owner,) = read_owners(second.stores["main"], "north")
    assert owner.catalog == second.catalog_id


def test_a_store_of_a_recorder_that_was_stopped_is_taken_by_a_rebuild(county: County) -> None:
    first = county.recorder("a")
    record(first, 0)
    county.clock.at = first.clock.now()
    first.upkeep.owners._beaten.clear()
    first.admit("main")
    refused = county.run("b", "rebuild")
    assert "another recorder writes there" in str(refused.exception)
    first.upkeep.owners.leave(first.stores.values())
    first.upkeep.owners.leave(first.stores.values())
    assert first.upkeep.owners.doubt(first.stores["main"]) == ""
    second = county.recorder("b")
    with pytest.raises(StoreRefused, match="another recorder wrote there"):
        second.admit("main")
    assert county.run("b", "rebuild").exit_code == 0
    (owner,) = read_owners(second.stores["main"], "north")
    assert owner.catalog == second.catalog_id


@pytest.mark.parametrize("mounted", [False, True])
def test_where_a_store_is_away_nothing_is_written_in_its_place(
    county: County, *, mounted: bool
) -> None:
    app = county.recorder("a", grace="1d")
    signing.leave_log(app, signs=True)
    away = county.store.rename(county.folder / "away")
    if mounted:  # the empty folder that a disk is mounted over
        county.store.mkdir()
    signing.note_node(app, "start")
    for write in (app.press.publish, app.admission.leave):
        with pytest.raises((StoreRefused, StoreUnavailable)):
            write()
    assert not mounted or list(county.store.iterdir()) == []
    assert mounted or not county.store.exists()
    shutil.rmtree(county.store, ignore_errors=True)
    away.rename(county.store)
    signing.sign_log(app)


def test_who_has_stopped_keeps_nothing_from_being_deleted_until_it_is_back(county: County) -> None:
    first, second = county.recorder("a"), county.recorder("b")
    first.admit("main")
    second.admit("main", adopt=True, sure=True)
    record(second, 0)
    first = county.recorder("a")
    first.admit("main")
    first.upkeep.owners.leave(first.stores.values())
    assert set(retention.sweep(second)) == {"main"}
    county.clock.at += SECOND
    first.admit("main")
    assert set(retention.sweep(second)) == {"main"}, "what it stores as it ends is no sign of life"
    county.recorder("a").admit("main")
    assert retention.sweep(second) == {}


def test_a_recorder_that_may_still_live_is_put_out_by_a_sure_word(county: County) -> None:
    county.recorder("a").admit("main")
    second = county.recorder("b")
    second.admit("main", adopt=True, sure=True)
    assert [one.catalog for one in read_owners(second.stores["main"], "north")] == [
        second.catalog_id
    ]


def test_while_two_write_neither_deletes_and_both_go_on_storing(county: County) -> None:
    first, second = county.recorder("a"), county.recorder("b")
    record(first, 0)
    second.admit("main", adopt=True, sure=True)
    record(second, 4)
    first = county.recorder("a")  # it was never told, and starts again
    record(first, 8)
    for app in (first, second):
        assert retention.sweep(app) == {}
        assert (
            "another recorder" in retention.apply_policy(app, stopped_too=True)["main"]["stopped"]
        )
        assert app.catalog.planning.copies_at("main", None, 9, condemned=True) == []
        retention.keep_documents(app)
    assert len(county.footage()) == 3
    assert not any(name.startswith(DOCUMENTS) for name in county.files())


def test_who_is_silent_for_long_enough_under_our_eyes_stops_nothing(county: County) -> None:
    first, second = county.recorder("a"), county.recorder("b")
    first.admit("main")
    sign = county.files()
    second.admit("main", adopt=True, sure=True)
    record(second, 0)
    for name, body in sign.items():
        (county.store / name).write_bytes(body)
    county.clock.at += 60 * MINUTE  # by our clock it is long gone, by its own perhaps not
    assert retention.sweep(second) == {}, "nobody has watched it yet"
    county.clock.at += 15 * MINUTE
    assert retention.sweep(second) == {}
    county.clock.at += 1 * MINUTE
    assert set(retention.sweep(second)) == {"main"}
    first.upkeep.owners._beaten.clear()
    first.admit("main")
    assert second.upkeep.owners.doubt(second.stores["main"]), "it lives after all"


def copied(county: County, name: str) -> App:
    """Copy a recorder with its data folder, as an image of its machine is."""
    county.recorder("a").close()
    shutil.copytree(county.folder / "a", county.folder / name)
    return county.recorder(name)


def test_a_recorder_and_a_copy_of_it_delete_nothing_while_both_write(county: County) -> None:
    """One name, one catalog, one spool: a hold that is placed at one is unknown at the other."""
    first = county.recorder("a")
    record(first, 0)
    second = copied(county, "b")
    assert second.catalog_id == first.catalog_id
    first = county.recorder("a")
    record(first, 4)
    record(second, 8)
    for app in (first, second, first):
        assert retention.sweep(app) == {}
        county.clock.at += round(BEAT_S) * SECOND
        app.admit("main")
        stopped = retention.apply_policy(app, stopped_too=True)["main"]["stopped"]
        assert "a copy of this recorder" in stopped
    assert len(county.footage()) == 3
    county.clock.at += 15 * MINUTE
    assert retention.sweep(second) == {}
    county.clock.at += 2 * MINUTE
    second.admit("main")
    assert retention.sweep(second) == {}, "the first one wrote last, and was written over"
    for _ in range(4):
        county.clock.at += round(BEAT_S) * SECOND
        second.admit("main")
        retention.sweep(second)
    assert set(retention.sweep(second)) == {"main"}, "the first one is silent by now"


def test_a_copy_that_was_stopped_keeps_nothing_from_being_deleted(county: County) -> None:
    first = county.recorder("a")
    record(first, 0)
    second = copied(county, "b")
    second.admit("main")
    second.upkeep.owners.leave(second.stores.values())
    first = county.recorder("a")
    first.admit("main")
    assert set(retention.sweep(first)) == {"main"}


@pytest.mark.parametrize("what", ["the catalog", "all of the machine"])
def test_a_catalog_that_is_put_back_knows_its_nodes_own_signs_and_a_machine_does_not(
    county: County, what: str
) -> None:
    first = county.recorder("a")
    record(first, 0)
    copied(county, "kept").close()
    first = county.recorder("a")
    county.clock.at += round(BEAT_S) * SECOND
    first.admit("main")
    first.close()
    if what == "the catalog":
        shutil.copy(county.folder / "kept" / "catalog.db", county.folder / "a")
    else:
        shutil.rmtree(county.folder / "a")
        (county.folder / "kept").rename(county.folder / "a")
    again = county.recorder("a")
    said = again.upkeep.owners.doubt(again.stores["main"])
    assert ("a copy of this recorder" in said) == (what != "the catalog")


def test_a_command_beside_a_node_and_the_next_start_are_no_copies_of_it(county: County) -> None:
    first = county.recorder("a")
    record(first, 0)
    for app in (county.recorder("a"), first, county.recorder("a")):
        county.clock.at += round(BEAT_S) * SECOND
        app.admit("main")
    for app in county.apps:
        assert app.upkeep.owners.doubt(app.stores["main"]) == ""


def test_signs_are_known_for_hours_and_not_for_ever(county: County) -> None:
    """There is one in each store, and one that was written before the last may lie there still."""
    app = county.recorder("a")
    beside = county.folder / "signs.json"
    signs = NotedSigns(app.catalog.progress, county.clock, lambda: str(next(numbers)), beside, str)
    numbers = itertools.count()
    first = Owner("north", app.catalog_id, "n1", sign=signs.new("n1"))
    assert not signs.is_copy(first)
    for _ in range(MOST):
        signs.new("n1")
    assert not signs.is_copy(first)
    signs.new("n1")
    assert signs.is_copy(first)
    assert not signs.is_copy(replace(first, node="n2")), "nothing was ever noted of it"
    assert not signs.is_copy(replace(first, sign="")), "an earlier release wrote it"


def test_a_sign_of_life_is_written_now_and_then(county: County) -> None:
    app = county.recorder("a")
    signs = []
    for _ in range(4):
        app.admit("main")
        signs.append(read_owners(app.stores["main"], "north")[0].at)
        county.clock.at += round(BEAT_S / 2) * SECOND
    assert len(set(signs)) == 2


def test_a_node_that_lost_its_catalog_is_no_other_recorder(county: County) -> None:
    app = county.recorder("a")
    record(app, 0)
    for path in (county.folder / "a").glob("catalog.db*"):
        path.unlink()
    anew = county.recorder("a")
    assert anew.catalog_id != app.catalog_id
    anew.admit("main")
    assert [one.catalog for one in read_owners(anew.stores["main"], "north")] == [anew.catalog_id]
    assert anew.upkeep.owners.doubt(anew.stores["main"]) == ""


def test_nodes_of_one_site_and_sites_of_one_bucket_are_no_strangers(county: County) -> None:
    shared = f"sqlite:///{county.folder / 'shared.db'}"
    first = county.recorder("a", catalog=shared)
    second = county.recorder("b", catalog=shared, node="n2")
    other = county.recorder("c", site="south")
    for app in (first, second, other):
        app.admit("main")
    for app in (first, second, other):
        assert app.upkeep.owners.doubt(app.stores["main"]) == ""


def test_a_sign_that_cannot_be_read_counts_as_one_that_lives(county: County) -> None:
    county.store.mkdir()
    sign = county.store / PREFIX / "north" / "x.json"
    sign.parent.mkdir(parents=True)
    sign.write_bytes(b"{")
    app = county.recorder("a")
    with pytest.raises(StoreRefused, match="no readable form"):
        app.admit("main", adopt=True)


def test_doctor_and_store_list_tell_of_two_owners_and_change_nothing(county: County) -> None:
    app = county.recorder("a")
    assert county.run("b", "store", "list").output.count("not used yet") == 1
    assert not county.store.exists(), "looking at a store does not make it ours"
    app.admit("main")
    before = county.files()
    said = county.run("b", "store", "list").output
    assert "another recorder" in said
    assert app.catalog_id in said
    done = county.run("b", "doctor")
    assert f"another recorder wrote there as this site: catalog {app.catalog_id}" in done.output
    assert county.files() == before
    county.clock.at = app.clock.now()
    app.upkeep.owners._beaten.clear()
    app.admit("main")
    other = county.recorder("b")
    (finding,) = [one for one in examine(other) if "another recorder" in one.detail]
    assert (finding.level, "store adopt main" in finding.advice) == ("bad", True)
    assert county.run("b", "store", "adopt", "main").exception is not None
    assert county.run("b", "store", "adopt", "main", "--yes").exit_code == 0
    assert county.run("b", "check").output.startswith("clean"), "signs of life are no footage"


# -- a damaged identity ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"", "it is empty"), (b"\x00\xff{", r"its 3 bytes begin with '\\x00\\xff\{'"),
     (b'{"name": "x"}', "its 13 bytes begin with"), (b'{"store": null}', "its 15 bytes"),
     (b"[1]", "its 3 bytes"), (None, "shows no identity")],
)  # fmt: skip
def test_an_identity_that_is_damaged_is_told_and_written_anew_by_a_word(
    county: County, body: bytes | None, said: str
) -> None:
    app = county.recorder("a")
    record(app, 0)
    before, identity = county.files(), app.admit("main")
    path = county.store / IDENTITY_KEY
    if body is None:
        path.unlink()
    else:
        path.write_bytes(body)
    for ask in (app.admit, app.admission.look):
        with pytest.raises(StoreRefused, match=said) as caught:
            ask("main")
        assert "recorder store adopt main" in caught.value.hint
    assert app.admit("main", adopt=True) == identity, "that which the catalog knows"
    assert app.admit("main") == identity
    assert {**county.files(), IDENTITY_KEY: b""} == {**before, IDENTITY_KEY: b""}
    assert json.loads(path.read_bytes())["store"] == identity


def test_a_damaged_identity_that_no_catalog_knows_is_made_anew_by_a_word(county: County) -> None:
    county.store.mkdir()
    (county.store / IDENTITY_KEY).write_bytes(b"{")
    app = county.recorder("a")
    with pytest.raises(StoreRefused, match="is not an identity"):
        app.admit("main")
    assert app.admit("main", adopt=True) == app.admit("main")
