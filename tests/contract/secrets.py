"""What every catalog promises of secrets: encrypted under one key, then all under another."""

from __future__ import annotations

from sqlalchemy import select

from recorder.catalog import schema
from recorder.catalog.sql import SqlCatalog
from recorder.model.camera_document import parse_camera
from recorder.sites.below import put_below


class SecretsContract:
    """A part of what every catalog is held to."""

    def test_secrets_are_encrypted_and_go_over_to_another_key(self, catalog: SqlCatalog) -> None:
        for number in range(3):
            one = parse_camera(f"cam{number}", {"url": "rtsp://ana:t0p@10.0.0.7/a"})
            catalog.cameras.put(one, 1, None)
            for site in ("post1", "post2"):
                put_below(catalog, site, one, "ann", 2)
        before = (catalog.cameras.all(), catalog.child_cameras.since())
        first = catalog.secrets.begin(3)
        assert catalog.secrets.look().under == {first: 9}
        catalog.secrets.settle(3)
        second = catalog.secrets.unused()
        catalog.secrets.take(second, 4)
        assert (catalog.cameras.all(), catalog.child_cameras.since()) == before
        assert catalog.secrets.settle(5)
        seen = catalog.secrets.look()
        assert (seen.key_id, seen.under, seen.wiped) == (second, {second: 9}, True)
        fresh = [catalog.cameras.get(f"cam{number}") for number in range(3)]
        assert (fresh, catalog.child_cameras.since()) == before
        with catalog.database.read() as db:
            for table in (schema.camera, schema.camera_below):
                assert "t0p" not in str(db.execute(select(table)).all())
