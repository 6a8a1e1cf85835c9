"""Cameras that a request names in what it sends, found among those that its caller may know of."""

from __future__ import annotations

from collections.abc import Iterable

from recorder.api.gate import Gate
from recorder.errors import NotFound, StateError
from recorder.model.keys import read_camera_id
from recorder.reading.named import LISTED


def cameras_meant(
    gate: Gate,
    names: Iterable[str],
    site: str | None = None,
    *,
    every: bool = False,
    ahead: bool = False,
    missing: str = "",
) -> tuple[str, ...]:
    """Return the cameras that names mean, as ``site/camera``, all of which the caller may.

    ``every``, ``ahead``: see :meth:`recorder.reading.finder.Finder.cameras_of`; ``missing``: what
    is said of one that is not there, or may not be known of; neither can be told from the other.
    Raises: ``NotFound``; ``StateError`` when a name may mean one of several; ``NotAllowed``.
    """
    if gate.everywhere:
        return gate.app.finder.cameras_of(names, site, every=every, ahead=ahead)
    found: list[str] = []
    for name in names:
        said = missing or f"no camera {name!r}"
        meant = _meant(gate, name, site, every=every, ahead=ahead, missing=said)
        gate.check_all(map(read_camera_id, meant), said)
        found += meant
    return tuple(dict.fromkeys(found))


def _meant(
    gate: Gate, name: str, site: str | None, *, every: bool, ahead: bool, missing: str
) -> tuple[str, ...]:
    """Return what a name means, to somebody who may not know of all cameras."""
    try:
        return gate.app.finder.cameras_of([name], site, every=every, ahead=ahead)
    except NotFound as exc:  # it may tell of others
        raise NotFound(missing, hint=_hint(missing)) from exc
    except StateError as exc:
        seen = gate.of_name(name, site)
        if not seen:
            raise NotFound(missing, hint=_hint(missing)) from exc
        if len(seen) > 1:
            said = " or ".join(map(str, seen))
            raise StateError(
                f"there are several cameras {name!r}", hint=f"say which: {said}"
            ) from None
        return (str(seen[0]),)


def _hint(missing: str) -> str:
    return LISTED if missing.startswith("no camera") else ""
