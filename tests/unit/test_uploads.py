"""Uploads in parts that broke off: ours are ended when they are old, others' are left and told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder import telemetry
from recorder.app import App
from recorder.audit.entry import read_entry
from recorder.config import Settings
from recorder.errors import AuditUnavailable, ConfigError
from recorder.janitor.uploads import AGAIN_S, MOST, WALK_S, UploadEnder
from recorder.model.keys import segment_key
from recorder.model.timebase import DAY, HOUR, SECOND, Instant, format_instant
from recorder.ports import AskedEntries
from recorder.store.files import FileStore
from recorder.store.memory import MemoryStore
from recorder.store.s3 import S3Store
from recorder.store.uploads import Upload
from tests.support.clock import FakeClock
from tests.support.make import T0
from tests.support.recorded import NS, Answer, Recorded, error

NOW = T0 + 10 * DAY


class Bucket(MemoryStore):
    """A bucket with unfinished uploads, and a clock of its own."""

    def __init__(self, *keys: str, begun: Instant = NOW - DAY) -> None:
        super().__init__("main")
        self.begun = [Upload(key, str(number), begun) for number, key in enumerate(keys)]
        self.ended: list[str] = []
        self.time: Instant | None = NOW

    def date(self) -> Instant | None:  # type: ignore[override]
        return self.time

    def unfinished(self) -> Iterator[Upload]:
        yield from self.begun

    def end_upload(self, upload: Upload) -> None:
        self.begun.remove(upload)
        self.ended.append(upload.key)


def key_of(prefix: str, writer: str = "n1.1") -> str:
    return segment_key(prefix, T0, writer, 0)


class Made:
    """What ends uploads of ``north``, with what it wrote in the log."""

    def __init__(self, below: tuple[str, ...] = (), after_ns: int = DAY) -> None:
        self.clock = FakeClock(NOW)
        self.noted: list[tuple[str, str]] = []
        self.ender = UploadEnder("north", lambda: below, self.clock, self.note, after_ns)

    def note(self, store: str, upload: Upload) -> None:
        self.noted.append((store, upload.key))


def test_uploads_of_ours_that_are_old_are_ended_once_and_said_before() -> None:
    bucket, made = Bucket(key_of("north/gate/main")), Made()
    before = telemetry.ENDED_UPLOADS.labels("main")._value.get()
    assert made.ender.run(bucket) == 1
    assert bucket.ended == [key_of("north/gate/main")]
    assert made.noted == [("main", key_of("north/gate/main"))]
    assert telemetry.ENDED_UPLOADS.labels("main")._value.get() == before + 1
    assert made.ender.run(bucket) == 0


def test_what_may_go_on_and_what_is_not_ours_is_left_and_told() -> None:
    others = (
        key_of("south/gate/main"),
        "backup/disk.img",
        key_of("north/gate/main", "onvif"),  # a camera that writes here itself
        key_of("post1/gate/main"),
    )
    bucket = Bucket(*others)
    bucket.begun.append(Upload(key_of("north/yard/main"), "y", NOW - DAY + SECOND))
    bucket.put("spanstore.owners/post1/c.json", b"{}", "application/json", {})
    made = Made(("post1",))
    assert made.ender.run(bucket) == 0
    assert (bucket.ended, made.noted) == ([], [])
    assert telemetry.OTHERS_UPLOADS.labels("main")._value.get() == 4


def test_footage_of_a_site_below_that_only_we_put_here_is_ours() -> None:
    bucket = Bucket(key_of("post1/gate/main"))
    assert Made(("post1",)).ender.run(bucket) == 1


@pytest.mark.parametrize(("time", "after_ns"), [(None, DAY), (NOW, 0), (NOW - HOUR, DAY)])
def test_only_the_stores_own_clock_says_how_old_one_is(time: Instant | None, after_ns: int) -> None:
    bucket, made = Bucket(key_of("north/gate/main")), Made(after_ns=after_ns)
    bucket.time = time
    made.clock.at = NOW + 400 * DAY
    assert made.ender.run(bucket) == 0


def test_nothing_is_ended_that_the_log_does_not_say() -> None:
    bucket, made = Bucket(key_of("north/gate/main")), Made()

    def refuse(_: str, __: Upload) -> None:
        raise AuditUnavailable("away")

    made.ender._note = refuse
    with pytest.raises(AuditUnavailable):
        made.ender.run(bucket)
    assert bucket.ended == []


def test_many_are_ended_some_at_a_time_and_the_store_is_asked_once_an_hour() -> None:
    bucket, made = Bucket(*(key_of(f"north/c{i}/main") for i in range(MOST + 1))), Made()
    assert [made.ender.run(bucket) for _ in range(2)] == [MOST, 0]
    made.clock.sleep(AGAIN_S)
    assert made.ender.run(bucket) == 1


def test_a_store_that_takes_no_parts_has_none_that_broke_off() -> None:
    assert Made().ender.run(MemoryStore("main")) == 0


def page(key: str, number: str, following: str = "") -> Answer:
    more = (
        f"<IsTruncated>true</IsTruncated><NextKeyMarker>{following}</NextKeyMarker>"
        "<NextUploadIdMarker>m</NextUploadIdMarker>"
        if following
        else "<IsTruncated>false</IsTruncated>"
    )
    return Answer(
        body=(
            f"<ListMultipartUploadsResult {NS}><EncodingType>url</EncodingType>{more}"
            f"<Upload><Key>{key}</Key><UploadId>{number}</UploadId>"
            "<Initiated>2026-11-28T10:00:00.000Z</Initiated></Upload>"
            "</ListMultipartUploadsResult>"
        ).encode()
    )


def test_a_bucket_lists_uploads_page_by_page_and_ends_one_that_may_be_over() -> None:
    pages = [page("a%20b", "1", "a"), page("c", "2")]

    def answer(method: str, _: str, names: frozenset[str]) -> Answer:
        if method == "GET" and "uploads" in names:
            return pages.pop(0)
        return error(404, "NoSuchUpload") if "uploadId" in names else error(501, "NotImplemented")

    server = Recorded(answer)
    try:
        store = S3Store("s", server.url, "bucket", ("key", "secret"))
        found = list(store.unfinished())
        assert [(one.key, one.number) for one in found] == [("a b", "1"), ("c", "2")]
        assert {one.begun for one in found} == {1_795_860_000 * SECOND}
        store.end_upload(found[1])
        assert server.asked[-1] == ("DELETE", "c", frozenset({"uploadId"}))
    finally:
        server.close()


def test_an_upload_is_not_ended_while_it_may_go_on() -> None:
    with pytest.raises(ConfigError, match=r"janitor\.uploads"):
        _ = Settings(site="north", janitor={"uploads": "10m"}).uploads_ns
    assert Settings(site="north").uploads_ns == DAY


def test_a_node_writes_in_its_log_which_upload_it_ends(tmp_path: Path) -> None:
    app = App(Settings(site="north", data=tmp_path))
    bucket = Bucket(key_of("north/gate/main"))
    assert app.upkeep.uploads.run(bucket) == 1
    (logged,) = app.catalog.audit_log.search(AskedEntries(action="store.end-upload"), 9)
    said = read_entry(logged.raw)
    begun = format_instant(NOW - DAY, 9)
    assert said.details == {"key": bucket.ended[0], "begun": begun}
    app.catalog.close()


class Folder:
    """A directory with segments of ``north`` and what was left of puts that died."""

    def __init__(self, root: Path, made: Made) -> None:
        self.store, self.made = FileStore("main", root), made
        self.key = key_of("north/gate/main")
        self.store.put(self.key, b"whole", "video/mp4", {})

    def lay(self, key: str, name: str) -> Path:
        """Lay a file beside where an object lies, or would lie."""
        path = (self.store.root / key).with_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"part")
        return path

    def sweep(self, after_s: float) -> int:
        """Sweep so long after all that lies there was written."""
        self.made.clock.at = time.time_ns() + round(after_s * SECOND)
        return self.made.ender.run(self.store)


def test_what_a_put_left_in_a_directory_goes_after_a_day_and_nothing_else(tmp_path: Path) -> None:
    box = Folder(tmp_path, Made())
    whole = box.store.root / box.key
    gone, other = key_of("north/yard/main"), key_of("south/gate/main")
    ours = [
        box.lay(box.key, f".{whole.name}.part"),
        box.lay(box.key, f".{whole.name}.123-140.part"),
        box.lay(gone, f".{gone.rpartition('/')[2]}.part"),
        box.lay("spanstore.owners/north/c1.json", ".c1.json.7-9.part"),
    ]
    theirs = [
        box.lay(other, f".{other.rpartition('/')[2]}.part"),
        box.lay(box.key, ".notes.part"),
        box.lay(box.key, f"{whole.name}.part"),
        box.lay("holiday/a.mp4", ".a.mp4.part"),
        box.lay(".trash/x", f".{whole.name}.part"),
    ]
    assert box.sweep(3600) == 0, "one may be written still"
    box.made.clock.begin -= DAY  # what never steps goes on
    assert box.sweep(86_401) == len(ours)
    assert not any(one.exists() for one in ours)
    assert all(one.exists() for one in (*theirs, whole))
    assert not (tmp_path / gone).parent.exists(), "no empty folder stays"
    assert len(box.made.noted) == len(ours)
    assert box.made.ender.run(box.store) == 0


def test_a_directory_is_looked_through_bit_by_bit_once_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, asked = Folder(tmp_path, Made()), list[str]()
    begun_in = box.store.begun_in

    def slow(folder: str) -> tuple[list[str], list[Upload]]:
        asked.append(folder)
        box.made.clock.sleep(WALK_S)
        return begun_in(folder)

    monkeypatch.setattr(box.store, "begun_in", slow)
    for _ in range(20):
        box.made.ender.run(box.store)
    assert len(asked) == len(set(asked)) == box.key.count("/") + 1
    box.made.clock.sleep(86_400)
    box.made.ender.run(box.store)
    assert asked[-1] == ""
