"""A real S3 server: Ceph RGW from Debian, on loopback, one daemon of each kind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import minio

from tests.support.ports import free_port, until
from tests.support.tls import make_certificate

ACCESS, SECRET = "test-access", "test-secret-0123456789"


class Rgw:
    """Starts mon, osd, mgr and radosgw under a folder; stops them by their pids."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="spanstore-rgw-"))
        self.mon_port, self.port, self.tls_port = free_port(), free_port(), free_port()
        self.ca_file = make_certificate(self.folder)
        self.conf = self.folder / "ceph.conf"
        self.fsid = str(uuid.uuid4())
        self.said = b""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_endpoint(self) -> str:
        return f"https://127.0.0.1:{self.tls_port}"

    def start(self) -> Rgw:
        self._write_conf()
        self._mon()
        self._osd()
        self._run("ceph-mgr", "-i", "a")
        self._run("radosgw", "-n", "client.rgw", "--no-mon-config")
        until(self._answers, 90, "RGW answers")
        subprocess.run(
            ["radosgw-admin", "-c", str(self.conf), "--no-mon-config", "user", "create",
             "--uid", "test", "--display-name", "test", "--access-key", ACCESS,
             "--secret", SECRET], check=True, capture_output=True, timeout=90,
        )  # fmt: skip
        return self

    def client(self) -> minio.Minio:
        return minio.Minio(
            f"127.0.0.1:{self.port}", access_key=ACCESS, secret_key=SECRET, secure=False,
            region="us-east-1",
        )  # fmt: skip

    def bucket(self, *, lock: bool = False) -> str:
        name = f"b{uuid.uuid4().hex[:12]}"
        self.client().make_bucket(name, object_lock=lock)
        return name

    def _answers(self) -> bool:
        import socket

        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def _write_conf(self) -> None:
        f = self.folder
        (f / "run").mkdir()
        self.conf.write_text(f"""
[global]
fsid = {self.fsid}
auth cluster required = none
auth service required = none
auth client required = none
mon host = v1:127.0.0.1:{self.mon_port}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr2 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
mon allow pool size one = true
osd crush chooseleaf type = 0
osd class update on start = false
osd crush update on start = false
run dir = {f}/run
log file = {f}/$cluster-$name.log
pid file = {f}/run/$name.pid
admin socket = {f}/run/$name.$pid.asok
crash dir = {f}/crash
keyring = {f}/keyring
mon data = {f}/mon
osd data = {f}/osd
mgr data = {f}/mgr
osd journal size = 100
bluestore block create = true
bluestore block size = 8589934592
osd memory target = 939524096
mon data avail warn = 1
mon data avail crit = 1
[mgr]
mgr modules =
[client.rgw]
rgw data = {f}/rgw
rgw frontends = beast endpoint=127.0.0.1:{self.port} ssl_endpoint=127.0.0.1:{self.tls_port} \
    ssl_certificate={self.ca_file}
rgw enable usage log = false
""")
        for name in ("mon", "osd", "mgr", "rgw", "crash"):
            (f / name).mkdir()

    def _run(self, *argv: str) -> None:
        subprocess.run(
            [argv[0], "-c", str(self.conf), "--setuser", "root", "--setgroup", "root", *argv[1:]],
            check=True, capture_output=True, timeout=90,
        )  # fmt: skip

    def _mon(self) -> None:
        keyring, monmap = self.folder / "keyring", self.folder / "monmap"
        subprocess.run(
            ["ceph-authtool", "--create-keyring", str(keyring), "--gen-key", "-n", "mon.",
             "--cap", "mon", "allow *"], check=True, capture_output=True,
        )  # fmt: skip
        subprocess.run(
            ["monmaptool", "--create", "--addv", "a", f"[v1:127.0.0.1:{self.mon_port}]",
             "--fsid", self.fsid, str(monmap)], check=True, capture_output=True,
        )  # fmt: skip
        self._run(
            "ceph-mon", "--mkfs", "-i", "a", "--monmap", str(monmap), "--keyring", str(keyring)
        )
        self._run("ceph-mon", "-i", "a")

    def _osd(self) -> None:
        """Its place in the map is given here: an OSD that gives its own may ask too early."""
        until(self._created, 90, "the monitor answers")
        done = self._ceph("osd", "crush", "add", "osd.0", "1", "root=default", "host=here")
        assert done.returncode == 0, "the map took no OSD"
        self._run("ceph-osd", "-i", "0", "--mkfs", "--mkkey")
        self._run("ceph-osd", "-i", "0")

    def _created(self) -> bool:
        return self._ceph("osd", "create").returncode == 0

    def _ceph(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        argv = ["ceph", "-c", str(self.conf), "--connect-timeout", "20", *command]
        done = subprocess.run(argv, capture_output=True, check=False, timeout=60)
        self.said = done.stderr[-400:]
        return done

    def stop(self) -> None:
        pids = []
        for path in (self.folder / "run").glob("*.pid"):
            with contextlib.suppress(ValueError, OSError):
                pids.append(int(path.read_text()))
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < end:
            time.sleep(0.05)
        shutil.rmtree(self.folder, ignore_errors=True)


def start_rgw(tries: int = 3) -> Rgw:
    """Start one; again on other ports when a daemon lost a race for its port."""
    said = ""
    for _ in range(tries):
        one = Rgw()
        try:
            return one.start()
        except (subprocess.SubprocessError, AssertionError) as exc:
            errors = getattr(exc, "stderr", None) or one.said
            said = f"{exc}: {errors[-600:].decode(errors='replace')}"
            one.stop()
    raise AssertionError(f"no RGW after {tries} tries: {said}")
