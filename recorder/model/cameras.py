"""Camera documents: what should be recorded, checked and with secrets kept apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote

from recorder.model.about import About
from recorder.model.masks import PLAIN, Privacy
from recorder.model.schedule import Timetable
from recorder.model.secrets import mask
from recorder.model.timebase import Instant

RECORD = ("always", "timetable", "event", "off")
SCHEMES = ("rtsp", "rtsps", "http", "https", "udp", "rtp", "tcp", "srt", "file", "lavfi")


@dataclass(frozen=True, slots=True)
class StreamSource:
    """How to reach one stream of a camera.

    ``credentials`` is ``user:password`` or empty; never shown.  ``listen`` means that the
    camera pushes RTSP to us and ``url`` is where we wait.  ``stall_s`` is how long the
    stream may bring nothing before it is restarted.  ``verify_tls`` and ``ca_file`` (a path on
    the node, by default the public authorities) say which certificates are believed.
    ``activity``: ``events`` makes motion events of what the compiled index sees change.
    ``cipher``: secrets of it that cannot be read here, as the catalog has them; ``url`` is masked.
    ``record``: round the clock, by ``timetable``, only what events touch, or not at all.
    """

    url: str
    credentials: str = field(default="", repr=False)
    transport: str = "tcp"
    audio: str = "auto"
    listen: bool = False
    stall_s: float = 4.5
    enabled: bool = True
    verify_tls: bool = True
    ca_file: str = ""
    record: str = "always"
    timetable: Timetable | None = None
    activity: str = "show"
    cipher: str = field(default="", repr=False)

    def wanted(self, now: Instant) -> bool:
        """Tell whether it is to be captured now; in event mode it is, for the pre-roll."""
        if not self.enabled or self.record == "off":
            return False
        return self.record != "timetable" or self.timetable is None or self.timetable.is_on(now)

    @property
    def scheme(self) -> str:
        """Scheme of the URL; a bare path is ``file``."""
        return self.url.split(":", 1)[0].lower() if has_scheme(self.url) else "file"

    @property
    def hidden(self) -> bool:
        """Tell whether credentials are to be kept out of ffmpeg's arguments by a redirect."""
        secret = bool(self.credentials) or mask(self.url) != self.url
        return secret and not self.listen and self.scheme in WITH_USER

    def full_url(self) -> str:
        """The URL with credentials in it: only for the program that connects."""
        if not self.credentials:
            return self.url
        user, _, password = self.credentials.partition(":")
        secret = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return self.url.replace("://", f"://{secret}@", 1)


@dataclass(frozen=True, slots=True)
class Camera:
    """One physical source: a document in the catalog.

    ``critical``: two nodes of its site record it at once.  ``importance``: higher is kept
    longer when the spool must shed.  ``version`` grows by one with every change, made by
    ``author``; ``created`` is when recording was first asked for.  ``about`` is for people.
    ``privacy``: what of its pictures is not for everybody.
    """

    name: str
    streams: dict[str, StreamSource]
    group: str = "general"
    importance: int = 0
    enabled: bool = True
    version: int = 0
    created: Instant = 0
    critical: bool = False
    author: str = ""
    about: About = field(default_factory=About)
    privacy: Privacy = PLAIN


WITH_USER = ("rtsp", "rtsps", "http", "https")


def has_scheme(url: str) -> bool:
    """Tell whether a URL names its scheme."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", url) is not None
