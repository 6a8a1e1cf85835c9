"""A real PostgreSQL, from Debian, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path

import psycopg

from recorder.catalog.sql import SqlCatalog
from tests.support.ports import free_port

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes; each database takes 8 MB in 300 files, and a run of all tests makes a hundred."""
QUICK = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off", "max_wal_senders": "0",
         "wal_level": "minimal"}  # fmt: skip
"""Nothing of it need outlive the machine's loss of power."""


def _folder() -> Path:
    """Make its folder: in memory where there is room, for files cost least there."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    return Path(tempfile.mkdtemp(prefix="spanstore-pg-", dir=MEMORY if roomy else None))


class Postgres:
    """Starts a server on loopback; stops it by pg_ctl."""

    def __init__(self) -> None:
        self.bin = max(Path("/usr/lib/postgresql").glob("*/bin"))
        self.folder = _folder()
        self.port = free_port()
        self.template = ""
        self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        if os.getuid() != 0:
            self.user = []
        else:
            shutil.chown(self.folder, "postgres", "postgres")

    def start(self) -> Postgres:
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", "test", "--auth=trust", "-E", "UTF8", "--no-sync")
        self._begin()
        return self

    def _begin(self) -> None:
        wanted = {"listen_addresses": "127.0.0.1", **QUICK}
        options = f"-p {self.port} -k {self.folder}"
        for name, value in wanted.items():
            options += f" -c {name}={value}"
        data, log = str(self.folder / "data"), str(self.folder / "log")
        self._run("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")

    def database(self, template: str = "") -> str:
        """Make a database, empty or as another one; return its URL."""
        name = f"d{uuid.uuid4().hex[:12]}"
        server = f"postgresql://test@127.0.0.1:{self.port}/"
        with psycopg.connect(f"{server}postgres", autocommit=True) as connection:
            # copied file by file: by blocks, as else, it costs twice as much
            how = f"TEMPLATE {template or 'template1'} STRATEGY FILE_COPY"
            connection.execute(f"CREATE DATABASE {name} {how}".encode())
        return f"{server}{name}"

    def cataloged(self) -> str:
        """Make a database that has the present schema, whose steps are gone once."""
        if not self.template:
            url = self.database()
            made = SqlCatalog(url)
            made.database.prepare()
            made.close()
            self.template = url.rpartition("/")[2]
        return self.database(self.template)

    def pause(self) -> None:
        """Stop the server at once."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def resume(self) -> None:
        """Start it again, if it is stopped."""
        if self._answers():
            return
        self._begin()

    def stop(self) -> None:
        data = str(self.folder / "data")
        subprocess.run(
            [*self.user, str(self.bin / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop"],
            capture_output=True, check=False, cwd="/",
        )  # fmt: skip
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self.user, str(self.bin / program), *arguments],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, cwd="/",
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False
