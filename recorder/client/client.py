"""The API as Python: what a platform service imports, and the command line from afar."""

from __future__ import annotations

from recorder.client.cameras import CamerasAsking
from recorder.client.connection import PATIENCE_S, Connection
from recorder.client.exports import ExportsAsking
from recorder.client.footage import FootageAsking
from recorder.client.log import LogAsking
from recorder.client.marks import MarksAsking
from recorder.client.people import PeopleAsking
from recorder.client.site import SiteAsking


class Client(
    FootageAsking, ExportsAsking, CamerasAsking, MarksAsking, SiteAsking, LogAsking, PeopleAsking
):
    """A recorder's API, as one caller.  Safe to share between threads; a context manager.

    A camera is named ``gate``, or ``post1/gate`` where several sites have one of its name.
    Every method raises the class of :mod:`recorder.errors` that the server's problem names:
    ``NotFound``, ``NoFootage``, ``NotYet``, ``NotAllowed``, ``StaleVersion`` …; and
    ``ServerUnreachable``.  What may succeed when it is asked again is asked again, for
    ``patience_s``.
    """

    def __init__(
        self,
        server: str,
        token: str = "",
        *,
        ca_file: str | None = None,
        patience_s: float = PATIENCE_S,
        purpose: str = "",
    ) -> None:
        """``server``: its URL, like ``https://recorder.example:8600``; ``token``: who asks;
        ``ca_file``: PEM of the CA that signed its certificate, where that is none that everybody
        trusts; ``purpose``: what it is for, which some grants want and the audit log keeps.
        """
        self._connection = Connection(server, token, ca_file, patience_s, purpose)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all connections."""
        self._connection.close()
