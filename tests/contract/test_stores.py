"""Every store keeps the promises of ``recorder.ports.DeletableStore``."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import ConfigError, CopyMissing, StoreRefused, StoreUnavailable
from recorder.ports import DeletableStore
from recorder.store.files import FileStore
from recorder.store.identity import IDENTITY_KEY, admit
from recorder.store.memory import MemoryStore
from recorder.store.probe import probe
from recorder.store.s3 import S3Store
from tests.support.disk import files_end_at
from tests.support.ports import clock_moved, free_port
from tests.support.rgw import ACCESS, SECRET, Rgw

KEY = "north/cam07/main/2026-01-05/n2.41/14/03-07.250000Z.12.mp4"


class StoreContract:
    """Subclassed once per store; each provides ``store``."""

    def test_what_was_put_is_read_back_in_any_range(
        self, store: DeletableStore, tmp_path: Path
    ) -> None:
        body = bytes(range(256)) * 9000
        path = tmp_path / "f"
        path.write_bytes(body)
        said = {"sha256": hashlib.sha256(body).hexdigest(), "Version": "1.0"}
        store.put_file(KEY, path, 'video/mp4; codecs="avc1.42c028"', said)
        assert b"".join(store.read(KEY, 0, len(body))) == body
        assert b"".join(store.read(KEY, 1_000_001, 77)) == body[1_000_001:1_000_078]
        info = store.head(KEY)
        assert info is not None
        assert info.size == len(body)

    def test_putting_again_is_harmless(self, store: DeletableStore) -> None:
        for _ in range(2):
            store.put("a/b", b"one", "text/plain", {})
        assert b"".join(store.read("a/b", 0, 3)) == b"one"

    def test_of_many_who_put_one_object_at_once_one_wins_and_none_fails(
        self, store: DeletableStore
    ) -> None:
        bodies = [bytes([n]) * 4096 for n in range(16)]
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda body: store.put("a/b", body, "text/plain", {}), bodies):
                pass
        assert b"".join(store.read("a/b", 0, 4096)) in bodies
        assert [one.key for one in store.list("a/")] == ["a/b"]

    def test_an_empty_object_is_an_object(self, store: DeletableStore) -> None:
        store.put(KEY + "_end", b"", "video/mp4", {})
        info = store.head(KEY + "_end")
        assert info is not None
        assert info.size == 0

    def test_absence_is_none_for_head_and_copy_missing_for_read(
        self, store: DeletableStore
    ) -> None:
        assert store.head("no/such") is None
        with pytest.raises(CopyMissing):
            list(store.read("no/such", 0, 1))

    def test_a_short_object_is_never_a_silently_short_read(self, store: DeletableStore) -> None:
        store.put("short", b"12345", "text/plain", {})
        with pytest.raises((CopyMissing, StoreUnavailable)):
            list(store.read("short", 0, 9))

    def test_listing_is_in_key_order_and_goes_on_after_a_key(self, store: DeletableStore) -> None:
        keys = ["a/1", "a/2/x", "a/2.mp4", "b", "a-b/c"]
        for key in keys:
            store.put(key, b"x", "text/plain", {})
        assert [info.key for info in store.list()] == sorted(keys)
        assert [info.key for info in store.list("a/")] == ["a/1", "a/2.mp4", "a/2/x"]
        assert [info.key for info in store.list("a/", "a/2.mp4")] == ["a/2/x"]

    def test_deleting_many_deletes_those_already_gone_too(self, store: DeletableStore) -> None:
        store.put("x/1", b"x", "text/plain", {})
        store.delete(["x/1", "x/none"])
        assert store.head("x/1") is None
        store.delete([])

    def test_the_probe_tells_what_works(self, store: DeletableStore) -> None:
        facts = probe(store)
        assert all(facts[name] for name in ("put", "head", "range", "list", "delete"))

    def test_another_store_than_the_cataloged_one_is_refused(self, store: DeletableStore) -> None:
        catalog = SqlCatalog("sqlite://")
        assert admit(store, catalog.identities, lambda: "one") == "one"
        assert admit(store, catalog.identities, lambda: "two") == "one"
        assert catalog.identities.register(store.name, "late") == "one", "the first one holds"
        store.delete([IDENTITY_KEY])
        with pytest.raises(StoreRefused, match="no identity"):
            admit(store, catalog.identities, lambda: "three")
        store.put("foreign", b"x", "text/plain", {})
        other = SqlCatalog("sqlite://")
        with pytest.raises(StoreRefused, match="not a store of ours"):
            admit(store, other.identities, lambda: "four")
        assert admit(store, other.identities, lambda: "four", adopt=True) == "four"
        catalog.close()
        other.close()


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self) -> DeletableStore:
        return MemoryStore("m")


class TestDirectory(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> DeletableStore:
        (tmp_path / "store").mkdir()
        return FileStore("d", tmp_path / "store")

    def test_a_root_that_vanished_is_unavailable_not_empty(self, tmp_path: Path) -> None:
        store = FileStore("d", tmp_path / "gone")
        (tmp_path / "segment").write_bytes(b"a")
        for ask in (
            lambda: store.head("a"),
            lambda: list(store.list()),
            lambda: store.put("a/b", b"a", "text/plain", {}),
            lambda: store.put_file("a/b", tmp_path / "segment", "video/mp4", {}),
        ):
            with pytest.raises(StoreUnavailable) as caught:
                ask()
            assert "mounted" in caught.value.hint
        assert not store.root.exists(), "its place is not it"

    def test_a_disk_that_fills_up_within_a_write_leaves_no_half_object(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "store").mkdir()
        store = FileStore("d", tmp_path / "store")
        source = tmp_path / "segment"
        source.write_bytes(bytes(300_000))

        def elsewhere(*_: object) -> None:
            raise OSError(errno.EXDEV, "another filesystem")

        monkeypatch.setattr(os, "link", elsewhere)
        said = {"sha256": hashlib.sha256(bytes(300_000)).hexdigest()}
        with files_end_at(200_000), pytest.raises(StoreUnavailable):
            store.put_file("a/b", source, "video/mp4", said)
        assert store.head("a/b") is None
        assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []
        store.put_file("a/b", source, "video/mp4", said)
        info = store.head("a/b")
        assert info is not None
        assert info.size == 300_000

    def test_no_byte_of_a_segment_that_was_put_twice_outlives_it(
        self, store: DeletableStore, tmp_path: Path
    ) -> None:
        source = tmp_path / "segment"
        source.write_bytes(b"x")
        said = {"sha256": hashlib.sha256(b"x").hexdigest()}
        for _ in range(2):  # its sender died before it was committed
            store.put_file("a/b.mp4", source, "video/mp4", said)
        assert [one.name for one in (tmp_path / "store" / "a").iterdir()] == ["b.mp4"]
        os.link(source, tmp_path / "store" / "a" / ".b.mp4.part")  # by an earlier release
        store.delete(["a/b.mp4"])
        assert list((tmp_path / "store").iterdir()) == []

    @pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.EBADF])
    def test_a_file_system_that_syncs_no_folders_takes_objects(
        self, store: DeletableStore, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        sync = os.fsync

        def fsync(handle: int) -> None:
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                raise OSError(code, "not for folders")
            sync(handle)

        monkeypatch.setattr(os, "fsync", fsync)
        store.put("a/b", b"x", "text/plain", {})
        assert store.head("a/b") is not None

    def test_the_folder_of_a_file_system_for_what_was_lost_is_none_of_ours(
        self, store: DeletableStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "store" / "lost+found").mkdir(0o700)
        store.put("a/b", b"x", "text/plain", {})
        scan = os.scandir

        def scandir(path: Path) -> object:
            if Path(path).name == "lost+found":
                raise PermissionError(errno.EACCES, "not for you")
            return scan(path)

        monkeypatch.setattr(os, "scandir", scandir)
        assert [one.key for one in store.list()] == ["a/b"]

    def test_what_is_deleted_while_it_is_listed_is_not_listed(
        self, store: DeletableStore, tmp_path: Path
    ) -> None:
        for key in ("a/1", "b/1", "b/2", "c/1"):
            store.put(key, b"x", "text/plain", {})
        listed = store.list()
        seen = [next(listed).key]
        store.delete(["b/1", "b/2"])
        seen += [info.key for info in listed]
        assert seen == ["a/1", "c/1"]
        listed = store.list("a/")
        store.put("a/2", b"x", "text/plain", {})
        store.put("a/3", b"x", "text/plain", {})
        assert next(listed).key == "a/1"
        store.delete(["a/2"])
        assert [info.key for info in listed] == ["a/3"]

    @pytest.mark.parametrize("seen", [1, 2])
    def test_a_listing_does_not_end_early_where_the_disk_is_taken_away(
        self, store: DeletableStore, tmp_path: Path, seen: int
    ) -> None:
        for key in ("a/1", "a/2", "b/1"):
            store.put(key, b"x", "text/plain", {})
        listed = store.list()
        assert [next(listed).key for _ in range(seen)] == ["a/1", "a/2"][:seen]
        (tmp_path / "store").rename(tmp_path / "away")
        (tmp_path / "store").mkdir()
        with pytest.raises(StoreUnavailable):
            list(listed)


@pytest.mark.xdist_group("rgw")
class TestS3(StoreContract):
    @pytest.fixture
    def store(self, rgw: Rgw) -> DeletableStore:
        return S3Store("s", rgw.endpoint, rgw.bucket(), (ACCESS, SECRET))

    def test_a_held_object_outlives_its_keys_and_a_marker_hides_nothing(self, rgw: Rgw) -> None:
        bucket = rgw.bucket(lock=True)
        store = S3Store("s", rgw.endpoint, bucket, (ACCESS, SECRET))
        assert store.protects
        assert probe(store)["legal_hold"]
        store.put("k", b"one", "text/plain", {})
        store.protect("k", True)
        rgw.client().remove_object(bucket, "k")  # a stranger, who writes a delete marker
        assert b"".join(store.read("k", 0, 3)) == b"one"
        assert [info.key for info in store.list()] == ["k"], "the marker is gone"
        store.put("free", b"two", "video/mp4", {})
        assert list(store.delete(["k", "free"])) == ["k"], "and the other one goes"
        assert store.head("k") is not None
        assert store.head("free") is None
        store.protect("k", False)
        store.delete(["k"])
        assert store.head("k") is None
        assert list(rgw.client().list_objects(bucket, include_version=True)) == [], "freed"

    def test_an_upload_that_broke_off_is_listed_and_ended(self, rgw: Rgw) -> None:
        bucket = rgw.bucket()
        store = S3Store("s", rgw.endpoint, bucket, (ACCESS, SECRET))
        number = rgw.client()._create_multipart_upload(bucket, "a b/ü.mp4", {})
        (found,) = store.unfinished()
        assert (found.key, found.number) == ("a b/ü.mp4", number)
        assert abs(found.begun - (store.date() or 0)) < 60 * 10**9
        for _ in range(2):  # the second time it is over
            store.end_upload(found)
        assert list(store.unfinished()) == []

    def test_metadata_and_media_type_come_back(self, rgw: Rgw) -> None:
        store = S3Store("s", rgw.endpoint, rgw.bucket(), (ACCESS, SECRET))
        store.put("k", b"x", 'video/mp4; codecs="hvc1"', {"Version": "1.0", "SeekTable": "AA=="})
        info = store.head("k")
        assert info is not None
        assert info.content_type == 'video/mp4; codecs="hvc1"'
        assert info.metadata["version"] == "1.0"
        assert info.metadata["seektable"] == "AA=="

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"bucket": "no-such-bucket"}, "NoSuchBucket"),
            ({"keys": ("wrong", SECRET)}, "InvalidAccessKeyId"),
            ({"keys": (ACCESS, "wrong")}, "SignatureDoesNotMatch"),
        ],
    )
    def test_a_refusal_says_what_to_correct(
        self, rgw: Rgw, change: dict[str, str], said: str
    ) -> None:
        settings = {"endpoint": rgw.endpoint, "bucket": rgw.bucket(), "keys": (ACCESS, SECRET)}
        store = S3Store("s", **{**settings, **change})  # type: ignore[arg-type]
        with pytest.raises(StoreRefused, match=said) as caught:
            store.put("k", b"x", "text/plain", {})
        assert caught.value.hint

    def test_a_store_that_does_not_answer_is_unavailable(self) -> None:
        store = S3Store("s", f"http://127.0.0.1:{free_port()}", "bucket", ("a", "b"))
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.put("k", b"x", "text/plain", {})

    def test_tls_is_spoken_to_a_store_whose_ca_is_believed_and_refused_else(self, rgw: Rgw) -> None:
        bucket, keys = rgw.bucket(), (ACCESS, SECRET)
        store = S3Store("s", rgw.tls_endpoint, bucket, keys, ca_file=str(rgw.ca_file))
        store.put("k", b"12345", "text/plain", {})
        assert b"".join(store.read("k", 1, 3)) == b"234"
        stranger = S3Store("s", rgw.tls_endpoint, bucket, keys)
        with pytest.raises(StoreRefused, match="certificate") as caught:
            stranger.head("k")
        assert "ca_file" in caught.value.hint
        with pytest.raises(ConfigError, match="no-such-file"):
            S3Store("s", rgw.tls_endpoint, bucket, keys, ca_file="/no-such-file.pem")

    def test_a_clock_that_is_wrong_is_named(self, rgw: Rgw) -> None:
        script = (
            "from recorder.store.s3 import S3Store\n"
            f"S3Store('s', {rgw.endpoint!r}, {rgw.bucket()!r}, {(ACCESS, SECRET)!r})"
            ".put('k', b'x', 'text/plain', {})"
        )
        said = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False,
            env={**os.environ, **clock_moved("+1h")},
        )  # fmt: skip
        assert "StoreRefused" in said.stderr
        assert "RequestTimeTooSkewed" in said.stderr

    def test_a_presigned_url_reads_the_object(self, rgw: Rgw) -> None:
        import httpx

        store = S3Store("s", rgw.endpoint, rgw.bucket(), (ACCESS, SECRET))
        store.put("k", b"0123456789", "video/mp4", {})
        url = store.presign("k", 60)
        assert url is not None
        assert httpx.get(url, headers={"Range": "bytes=2-4"}).content == b"234"
