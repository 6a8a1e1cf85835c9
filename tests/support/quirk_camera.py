"""A live RTSP camera whose habits are data, with a log of every picture it sent."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
import threading
import time
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from tests.support.camera_habits import Habits
from tests.support.live import Feed, Sent, Uptime, Visit, Way, next_key
from tests.support.rtsp import (
    Request,
    challenge,
    knows,
    neighbours,
    read_request,
    write_answer,
)
from tests.support.sdp import describe
from tests.support.sounds import SOUNDS, packets
from tests.support.streams import units

ANSWER_S = 0.02
"""The answer to PLAY goes out so long before the first picture."""


class QuirkCamera:
    """One camera on a free loopback port, in a thread of its own.

    It is live: who joins gets the present picture, and what was taken while nobody was
    connected was sent to nobody.  Picture ``n`` is taken so long after :meth:`start` as the
    stream's own time says; when the stream has run out, the camera stays silent.
    """

    def __init__(self, habits: Habits = Habits()) -> None:  # noqa: B008 - it is frozen
        self.habits = habits
        self.sessions = 0
        self.requests: list[str] = []
        self.log: list[Sent] = []
        self.visits: dict[int, Visit] = {}
        self.uptime = Uptime()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> QuirkCamera:
        """Switch it on; its media are encoded first, where they are not yet."""
        for track in self.habits.tracks:
            (packets if track.what in SOUNDS else units)(track.what)
        self.uptime = Uptime()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Switch it off."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join()

    def url(self, path: str = "cam") -> str:
        """Return its address, with user and password where it asks for them."""
        user = f"{self.habits.user}@" if self.habits.user else ""
        return f"rtsp://{user}127.0.0.1:{self.port}/{path}"

    def sent(self, session: int | None = None, track: int | None = None) -> list[Sent]:
        """Return what was sent, in order: of one session (from 1), of one track; or all."""
        return [
            one
            for one in list(self.log)
            if session in (None, one.session) and track in (None, one.track)
        ]

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._until_ended())
        finally:
            self._loop.close()

    async def _until_ended(self) -> None:
        server = await asyncio.start_server(self._meet, sock=self.listener)
        await self._ended.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(self, reader, writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await client.talk()
        client.close()


class Client:
    """One connection: its requests, its ways for packets, its feeds."""

    def __init__(
        self, camera: QuirkCamera, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.camera, self.habits = camera, camera.habits
        self.reader, self.writer = reader, writer
        self.ways: dict[int, Way] = {}
        self.sockets: list[socket.socket] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.number = 0
        self.open = True

    async def talk(self) -> None:
        """Answer requests until either side ends it."""
        while self.open:
            request = await read_request(self.reader)
            if request is not None:
                self.camera.requests.append(request.method)
                await self._answer(request)

    def close(self, *, by_camera: bool = False) -> None:
        """End the feeds, the sockets and the connection."""
        self.open = False
        visit = self.camera.visits.get(self.number)
        if visit is not None and not visit.left_ns:
            self.camera.visits[self.number] = replace(
                visit, left_ns=time.time_ns(), by_camera=by_camera
            )
        for task in self.tasks:
            task.cancel()
        for one in self.sockets:
            one.close()
        self.writer.close()

    async def _answer(self, request: Request) -> None:
        user, scheme = self.habits.user, self.habits.scheme
        if user and not knows(request, user, scheme):
            self._say(request, 401, WWW_Authenticate=challenge(scheme))
            return
        match request.method:
            case "DESCRIBE":
                self._describe(request)
            case "SETUP":
                await self._set_up(request)
            case "PLAY":
                await self._play(request)
            case "GET_PARAMETER" | "SET_PARAMETER":
                self._parameter(request)
            case "TEARDOWN":
                self._say(request, 200)
                self.open = False
            case _:
                methods = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
                self._say(request, 200, Public=methods)

    def _describe(self, request: Request) -> None:
        base = f"rtsp://127.0.0.1:{self.camera.port}"
        path = urlsplit(request.url).path
        if self.habits.redirects and not path.endswith("/elsewhere"):
            self._say(request, 302, Location=f"{base}{path}/elsewhere")
            return
        body = describe(self.habits)
        self._say(request, 200, body, Content_Type="application/sdp", Content_Base=f"{base}{path}/")

    async def _set_up(self, request: Request) -> None:
        wish = request.headers.get("transport", "")
        options = dict(part.partition("=")[::2] for part in wish.split(";"))
        if "interleaved" in options:
            channel = int(options["interleaved"].partition("-")[0])
            self.ways[request.track] = self._interleaved(channel)
            self._say(request, 200, Transport=wish)
            return
        port = int(options["client_port"].partition("-")[0])
        way, own = self._datagrams(port)
        self.ways[request.track] = way
        self._say(request, 200, Transport=f"{wish};server_port={own}-{own + 1}")

    def _interleaved(self, channel: int) -> Way:
        def pass_on(packet: bytes, report: bool) -> None:
            if not self.writer.is_closing():
                self.writer.write(struct.pack(">cBH", b"$", channel + report, len(packet)) + packet)

        return pass_on

    def _datagrams(self, port: int) -> tuple[Way, int]:
        """Make a pair of sockets; clients may insist on neighbouring ports."""
        pair = neighbours()
        self.sockets += pair

        def pass_on(packet: bytes, report: bool) -> None:
            with contextlib.suppress(OSError):  # nobody listens any more
                pair[report].sendto(packet, ("127.0.0.1", port + report))

        return pass_on, int(pair[0].getsockname()[1])

    async def _play(self, request: Request) -> None:
        camera = self.camera
        camera.sessions += 1
        self.number = camera.sessions
        camera.visits[self.number] = Visit(self.number, time.time_ns())
        if self.number in self.habits.refused:
            self._say(request, 503)
            return
        begin = next_key(self.habits, camera.uptime.now() + ANSWER_S)
        await camera.uptime.reach(begin - ANSWER_S)
        if self.reader.at_eof():
            return  # who asked has gone
        feeds = [
            Feed(self.habits, place, camera.uptime, way, self.number, begin, camera.log)
            for place, way in sorted(self.ways.items())
        ]
        info = ",".join(
            f"url={request.url.rstrip('/')}/track{feed.place};seq={feed.sender.sequence};"
            f"rtptime={feed.stamp(feed.played)}"
            for feed in feeds
        )
        more = {"RTP_Info": info} if self.habits.rtp_info else {}
        self._say(request, 200, Range="npt=now-", **more)
        self.tasks += [asyncio.create_task(feed.run()) for feed in feeds]
        if math.isfinite(self.habits.session_s):
            asyncio.get_running_loop().call_later(
                self.habits.session_s, partial(self.close, by_camera=True)
            )

    def _parameter(self, request: Request) -> None:
        if self.habits.parameter == "close":
            self.close(by_camera=True)
            return
        self._say(request, int(self.habits.parameter))

    def _say(self, request: Request, status: int, body: str = "", **headers: str) -> None:
        if request.method in ("SETUP", "PLAY", "GET_PARAMETER", "SET_PARAMETER"):
            headers = {"Session": f"0815;timeout={self.habits.timeout_s}", **headers}
        self.writer.write(write_answer(request, status, body, headers))
