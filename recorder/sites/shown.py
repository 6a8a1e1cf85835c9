"""How cameras and their states are written: the same by the API and by the command line."""

from __future__ import annotations

from collections.abc import Mapping

from recorder.capture.health import fresh
from recorder.model.about import show_about
from recorder.model.camera_document import show_camera
from recorder.model.timebase import Instant, format_instant, format_known
from recorder.ports import NodeBeat, StreamStatus
from recorder.sites.survey import RECORDING, CameraSeen, StreamSeen

FIGURES = (*fresh(""), "yesterday")


def show_state(status: StreamStatus) -> dict[str, object]:
    """Write the last word on a stream."""
    return {
        "state": status.state,
        "cause": status.cause if status.state != RECORDING else None,
        "condition": status.condition or None,
        "detail": status.detail or None,
        "node": status.node,
        "since": format_instant(status.since, 3),
        "at": format_instant(status.at, 3),
        "sound": _text(status.health.get("sound")),
        "habits": _habits(status.health.get("habits")),
        "health": {key: status.health[key] for key in FIGURES if key in status.health},
    }


def _text(said: object) -> str | None:
    return said if isinstance(said, str) else None


def _habits(said: object) -> dict[str, str | None]:
    """Write what was noticed of a camera; what another site says may be anything."""
    found = said.items() if isinstance(said, Mapping) else ()
    return {str(name): _text(one) for name, one in found}


def node_name(beat: NodeBeat) -> str:
    """Return what a node calls itself, where one of a site below is known as ``site/node``."""
    return beat.node.rpartition("/")[2]


def show_present(one: StreamSeen) -> dict[str, object]:
    """Write how a stream does, as far as is known here; ``dark`` is what an operator looks for."""
    return {
        "stream": one.stream.stream,
        "state": one.state,
        "dark": one.dark,
        "since": _when(one.since),
        "cause": str(one.cause) or None,  # plain text, also where it was a member of an enum
        "condition": one.condition or None,
        "detail": one.detail or None,
    }


def show_seen(one: CameraSeen) -> dict[str, object]:
    """Write a camera: its document where it is this site's own, and how it does.

    ``present`` is its worst stream, ``stream_states`` each; ``state`` the last word on each.
    """
    body = show_camera(one.document) if one.document is not None else {}
    told = [each for each in one.streams if each.status is not None]
    return {
        **body,
        "name": one.camera.camera,
        "site": one.camera.site,
        "group": one.group,
        **show_about(one.about),
        "present": show_present(one.worst),
        "stream_states": [show_present(each) for each in one.streams],
        "state": {each.stream.stream: show_state(each.status) for each in told if each.status},
    }


def _when(at: Instant | None) -> str | None:
    return format_known(at, 3)
