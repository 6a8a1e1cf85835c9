"""Which source a probe is asked for: a camera of this site, or one that is none yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from recorder.errors import NotFound
from recorder.model.camera_document import parse_camera
from recorder.model.cameras import Camera, StreamSource
from recorder.model.checks import check_number, check_text
from recorder.model.keys import CameraId, read_camera_id

MOST_S = 60.0


@dataclass(frozen=True, slots=True)
class Probed:
    """A source that is to be looked at; ``camera`` where it is one's of this site."""

    source: StreamSource
    timeout_s: float
    camera: CameraId | None = None


def read_probe(
    body: Mapping[str, object], own: str, known: Callable[[CameraId], Camera | None]
) -> Probed:
    """Read what is to be probed: ``camera``, or a source as a camera's document has it.

    ``known`` returns a camera of this site, if the asker may know of it.
    Raises: ``NotFound``; ``BadDocument``; ``RequestError``.
    """
    rest = dict(body)
    timeout_s = check_number(rest.pop("timeout", 5.0), "timeout", 1, MOST_S)
    if "camera" not in rest:
        return Probed(parse_camera("probe", rest).streams["main"], timeout_s)
    text = check_text(rest["camera"], "camera", 256)
    asked = read_camera_id(text)
    meant = CameraId(asked.site or own, asked.camera)
    camera = known(meant) if meant.site == own else None
    if camera is None:
        raise NotFound(
            f"no camera {text!r} at this site, and no such file",
            hint="give a URL, or the name of a camera of this site",
        )
    return Probed(next(iter(camera.streams.values())), timeout_s, meant)
