"""What this node lets its cameras be, besides cameras: pictures it makes, files it plays."""

from __future__ import annotations

import os
from dataclasses import dataclass

from recorder.errors import BadDocument, KeyMissing, NotAllowed
from recorder.model.cameras import Camera, StreamSource
from recorder.model.sources import check_source


@dataclass(frozen=True, slots=True)
class Allowed:
    """``synthetic``: ``lavfi:`` sources; ``files``: the folder below which files may lie."""

    synthetic: bool = False
    files: str = ""

    def check(self, source: StreamSource, path: str = "") -> None:
        """Look at whether a source may be opened here.

        Raises: ``BadDocument``, ``NotAllowed``.
        """
        check_source(source, path)
        if source.scheme == "lavfi" and not self.synthetic:
            raise NotAllowed(
                f"{path}url: lavfi sources are not allowed on this node",
                hint="they are for tests and demonstrations: capture.synthetic allows them",
            )
        if source.scheme == "file":
            if not self.files and not source.url.startswith(("file:", "/")):
                said = source.url[:64]  # an address of a camera, most likely
                raise BadDocument(
                    f"{path}url: {said!r} does not say how it is reached",
                    hint=f"such as rtsp://{said}; `recorder camera makes` has what comes behind it",
                )
            self._check_file(source.url.removeprefix("file:"), path)

    def _check_file(self, place: str, path: str) -> None:
        if not self.files:
            raise NotAllowed(
                f"{path}url: files are not allowed on this node",
                hint="capture.files names the folder that they may lie in",
            )
        folder, file = os.path.realpath(self.files), os.path.realpath(place)
        if os.path.commonpath([folder, file]) != folder or "\0" in place:
            raise NotAllowed(f"{path}url: the file is not below {self.files}")

    def check_camera(self, camera: Camera) -> Camera:
        """Return a camera whose streams may all be opened here.

        Raises: ``BadDocument``, ``NotAllowed``.
        """
        for name, source in camera.streams.items():
            self.check(source, f"streams.{name}.")
        return camera


def check_readable(source: StreamSource, camera: str) -> None:
    """Look whether the secrets of a source are known here.

    Raises: ``KeyMissing``.
    """
    if source.cipher:
        raise KeyMissing(
            "user and password cannot be read, the key that they are encrypted under is not here: "
            "put it back (recorder secrets check), or set them again (recorder camera set "
            f"{camera} --credentials-file FILE)"
        )


def check_below(camera: Camera) -> Camera:
    """Return a camera for a site below, which has settings of its own.

    Raises: ``BadDocument``.
    """
    for name, source in camera.streams.items():
        check_source(source, f"streams.{name}.")
    return camera
