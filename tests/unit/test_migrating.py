"""Two catalogs are brought up to date in one process at once: neither disturbs the other."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import create_engine, inspect

from recorder.catalog.migrate import upgrade
from recorder.catalog.schema import metadata


def test_catalogs_that_are_upgraded_at_once_all_have_the_schema() -> None:
    at_once = threading.Barrier(4)

    def one(_: int) -> set[str]:
        engine = create_engine("sqlite://")
        at_once.wait(30)
        with engine.begin() as connection:
            upgrade(connection)
            return set(inspect(connection).get_table_names())

    with ThreadPoolExecutor(4) as pool:
        for tables in pool.map(one, range(4)):
            assert tables >= set(metadata.tables)
