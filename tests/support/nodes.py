"""Real processes: cameras, and recorder nodes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from recorder.model.ciphers import KEY_BYTES, write_key
from recorder.model.timebase import format_instant, parse_instant
from tests.support import forked
from tests.support.ports import free_port, until

SERVER = Path(__file__).with_name("rtsp_server.py")


class RtspServer:
    """A GStreamer RTSP server with some mounts."""

    def __init__(
        self, port: int | None = None, env: dict[str, str] | None = None,
        under: Sequence[str] = (), **mounts: str
    ) -> None:  # fmt: skip
        """``under``: the command that starts it, such as one that enters a namespace."""
        self.port, self.under = port or free_port(), under
        self.mounts = mounts
        self.env = env
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> RtspServer:
        arguments = [f"{name}={what}" for name, what in self.mounts.items()]
        self.process = subprocess.Popen(
            [*self.under, "/usr/bin/python3", str(SERVER), str(self.port), *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, **(self.env or {})},
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == b"ready\n", "the RTSP server did not start"
        return self

    def url(self, name: str) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def answers(self) -> bool:
        """Tell whether it still serves: one that was stopped among several clients may hang."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 3) as asking:
                asking.settimeout(3)
                asking.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
                return asking.recv(8).startswith(b"RTSP")
        except OSError:
            return False

    def pause(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)


class Node:
    """A recorder node in a process of its own, spoken to over HTTP."""

    def __init__(self, folder: Path, *, under: Sequence[str] = (), **settings: Any) -> None:
        """``under``: the command that starts it, such as one that enters a namespace."""
        self.folder, self.under = folder, under
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        body: dict[str, Any] = {
            "site": "test", "node": "n1", "data": str(folder / "data"),
            "capture": {"segment": 4, "connect_timeout": 3, "synthetic": True, "files": "/"},
            "api": {"listen": f"127.0.0.1:{self.port}"}, "log_format": "json",
        }  # fmt: skip
        for key, value in settings.items():
            body[key] = {**body[key], **value} if isinstance(body.get(key), dict) else value
        self.spool = Path(body.get("spool", {}).get("path", folder / "data" / "spool"))
        self.config = folder / "recorder.yaml"
        self.config.write_text(yaml.safe_dump(body))
        self.log = folder / "log.jsonl"
        self.process: forked.Recorder | None = None
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        self.env: dict[str, str] = {}

    def share_key(self) -> None:
        """Read secrets by a key that all nodes of a site have."""
        self.config.write_text(f"{self.config.read_text()}secrets: {{key: env:T_SITE_KEY}}\n")
        self.env["T_SITE_KEY"] = write_key(bytes(range(KEY_BYTES)))

    def start(self) -> Node:
        with self.log.open("ab") as log:
            self.process = forked.start(
                ["serve", "--config", str(self.config)], {**os.environ, **self.env}, log, log,
                self.under,
            )  # fmt: skip
        try:
            until(self._answers, 60, "node answers")  # a start takes long where all cores are busy
        except AssertionError as exc:
            exc.add_note(f"{self.config}: {self.log.read_text()[-3000:]}")
            raise
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "the node ended"
        with contextlib.suppress(httpx.HTTPError):
            return self.http.get("/healthz", timeout=5).status_code == 200
        return False

    def stop(self, patience_s: float = 30) -> int:
        """SIGTERM, and wait."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(patience_s)
        self.process = None
        return code

    def kill(self) -> None:
        """kill -9 of the recorder alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def close(self) -> None:
        """End whatever runs, in any state, and leave nothing behind."""
        self.http.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        for pid in self.ffmpegs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def ffmpegs(self) -> list[int]:
        """Pids of the ffmpegs that write into this node's spool."""
        marker = str(self.spool).encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    argv = (entry / "cmdline").read_bytes()
                    if marker in argv and b"serve" not in argv.split(b"\0"):
                        found.append(int(entry.name))
        return found

    def add(self, name: str, url: str, **more: Any) -> None:
        answer = self.http.put(f"/api/v1/cameras/{name}", json={"url": url, **more})
        assert answer.status_code in (200, 201), answer.text

    def state(self, name: str, stream: str = "main") -> dict[str, Any]:
        body = self.http.get(f"/api/v1/cameras/{name}").json()
        state: dict[str, Any] = body["state"].get(stream, {})
        return state

    def recording(self, name: str, deadline_s: float = 20) -> None:
        until(lambda: self.footage_s(name) > 0, deadline_s, f"{name} is being recorded")

    def timeline(self, name: str, start: int = 0, end: int | None = None) -> dict[str, Any]:
        now = parse_instant(self.http.get("/api/v1/coverage").json()["end"])
        params = {
            "start": format_instant(start or now - 3600 * 10**9, 9),
            "end": format_instant(end or now + 3600 * 10**9, 9),
        }
        answer = self.http.get(f"/api/v1/cameras/{name}/timeline", params=params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def footage_s(self, name: str) -> float:
        return float(sum(span["seconds"] for span in self.timeline(name)["spans"]))

    def clip(self, name: str, start: int, end: int, **params: str) -> httpx.Response:
        return self.http.get(
            f"/api/v1/cameras/{name}/clip.mp4",
            params={"start": format_instant(start, 9), "end": format_instant(end, 9), **params},
        )

    def save_clip(self, path: Path, name: str, start: int, end: int, **params: str) -> Path:
        answer = self.clip(name, start, end, **params)
        assert answer.status_code == 200, answer.text
        path.write_bytes(answer.content)
        return path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line with this node's settings."""
        argv = ["--config", str(self.config), *arguments]
        return forked.run(argv, {**os.environ, **self.env}, self.under)

    def run_for(self, seconds: float, *arguments: str) -> None:
        """Run the command line with this node's settings, and SIGKILL it after so long."""
        argv = ["--config", str(self.config), *arguments]
        with contextlib.suppress(subprocess.TimeoutExpired):
            forked.run(argv, {**os.environ, **self.env}, self.under, seconds)

    def check(self, *flags: str) -> dict[str, Any]:
        """``recorder check``."""
        said = self.run("check", "--json", *flags)
        assert said.stdout, said.stderr
        body: dict[str, Any] = json.loads(said.stdout)
        return body

    def broken(self, *flags: str) -> list[dict[str, Any]]:
        """What ``recorder check`` finds broken."""
        body = self.check(*flags)
        found: list[dict[str, Any]] = body["findings"]
        assert body["clean"] == (not found)
        return found
