"""A camera's document is changed: checked, stored, and what that means for its footage said."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from policies.effect import Effect, effects
from recorder.capture.allowed import check_below
from recorder.catalog.rows import camera_body, read_body
from recorder.errors import NotFound, StaleVersion, StateError
from recorder.janitor.deciding import policy_in_force
from recorder.model.cameras import Camera
from recorder.model.changing import Difference, change_camera, differences
from recorder.model.keys import StreamId
from recorder.model.timebase import Instant
from recorder.model.versions import ANY, Expected
from recorder.ports import Cameras, ChildCameras, Documents

TRIES = 5
"""Somebody else may change it at the same time; then it is read again."""


class ChangeCatalog(Protocol):
    """The parts of the catalog that a change of a camera asks."""

    cameras: Cameras
    documents: Documents


@dataclass(frozen=True, slots=True)
class Changed:
    """A camera before and after, what differs, and how its footage is kept otherwise now."""

    before: Camera | None
    after: Camera
    differences: list[Difference]
    effects: list[Effect]


@dataclass(frozen=True, slots=True)
class Changer:
    """``check`` refuses what this node's settings do not allow."""

    catalog: ChangeCatalog
    site: str
    level: str
    stores: Collection[str]
    check: Callable[[Camera], Camera]

    def change(
        self,
        name: str,
        patch: Mapping[str, object],
        author: str,
        now: Instant,
        expected: int | None = None,
        *,
        dry: bool = False,
    ) -> Changed:
        """Change what ``patch`` names and nothing else; ``dry``: only say what would change.

        Raises: ``NotFound``, ``BadDocument``; ``StaleVersion`` when it is not at ``expected``.
        """
        for tried in range(TRIES):
            old = self.catalog.cameras.get(name)
            if old is None:
                raise NotFound(f"no camera {name!r} at this site", hint="camera add makes one")
            if expected is not None and expected != old.version:
                raise StaleVersion(
                    f"change camera {name}: it is at version {old.version}, not {expected}",
                    hint="read it again, then send the change",
                )
            new = replace(self.check(change_camera(old, patch)), author=author)
            said = self.compare(old, new)
            if dry or not said.differences:
                return replace(said, after=old if not dry else new)
            try:
                stored = self.catalog.cameras.put(new, now, old.version)
            except StaleVersion:
                if expected is not None or tried + 1 == TRIES:
                    raise
                continue
            return replace(said, after=stored)
        raise AssertionError("unreachable")

    def put(
        self,
        camera: Camera,
        author: str,
        now: Instant,
        expected: int | None = None,
        *,
        replacing: bool,
    ) -> Changed:
        """Store a whole document; of a camera that there is only when ``replacing``.

        Raises: ``StaleVersion`` when there is one, or it is not at ``expected``; ``StateError``
        when one is called alike.
        """
        old = self.catalog.cameras.get(camera.name)
        if old is not None and not replacing:
            raise already(camera.name)
        if old is None:
            check_case(camera.name, (one.name for one in self.catalog.cameras.all()))
        new = replace(self.check(camera), author=author)
        stored = self.catalog.cameras.put(new, now, expected if replacing else 0)
        return replace(self.compare(old, new), after=stored)

    def compare(self, before: Camera | None, after: Camera) -> Changed:
        """Say what differs, and what of that matters to how long footage is kept."""
        if before is None:
            return Changed(None, after, [], [])
        return Changed(before, after, differences(before, after), self._effects(before, after))

    def _effects(self, before: Camera, after: Camera) -> list[Effect]:
        policy = policy_in_force(self.catalog.documents)
        if policy is None or before.group == after.group:
            return []
        streams = [StreamId(self.site, before.name, name) for name in before.streams]
        groups = (before.group, after.group)
        return list(effects(policy, streams, groups, self.stores, self.level))


def already(name: str) -> StaleVersion:
    """Return what refuses to add a camera that there is."""
    return StaleVersion(
        f"there is a camera {name} already",
        hint=f"recorder camera set {name} KEY=VALUE changes only what it names; "
        "--replace replaces the whole document",
    )


def check_case(name: str, others: Iterable[str]) -> None:
    """Refuse a new camera whose name differs from another's by case alone.

    On a disk that knows no case (a share of Windows, a stick) both would lie in one folder, and
    what lies there would be taken for one's.
    Raises: ``StateError``.
    """
    alike = next((one for one in others if one != name and one.lower() == name.lower()), None)
    if alike is not None:
        raise StateError(
            f"camera {name}: there is a camera {alike}, and case alone tells them apart",
            hint="give it another name; label is what people call it, and may be anything",
        )


def show_changed(changed: Changed) -> dict[str, object]:
    """Write what a change did."""
    return {
        "changes": [
            {"path": one.path, "before": one.before, "after": one.after}
            for one in changed.differences
        ],
        "retention": [
            {
                "stream": one.stream,
                "store": one.store,
                "before": str(one.before),
                "after": str(one.after),
            }
            for one in changed.effects
        ],
    }


def change_below(
    asked: ChildCameras,
    site: str,
    name: str,
    patch: Mapping[str, object],
    author: str,
    now: Instant,
    expected: Expected = ANY,
    *,
    dry: bool = False,
) -> tuple[Changed, int]:
    """Change what a site below was asked to record; return its version, too.

    Raises: ``NotFound`` when nobody here or above asked for it: its document is at that site;
    ``StaleVersion`` when it is not what is ``expected``, or was changed meanwhile.
    """
    found = (one for one in asked.since() if (one.site, one.name) == (site, name))
    present = next(found, None)
    if present is None or present.body is None:
        raise NotFound(
            f"the document of {site}/{name} is not known here",
            hint=f"change it at {site}, or send a whole document",
        )
    expected.check(present.version, f"change camera {site}/{name}")
    old = read_body(name, present.body)
    new = check_below(change_camera(old, patch))
    said = Changed(old, new, differences(old, new), [])
    if dry or not said.differences:
        return said, present.version
    as_read = Expected(f'"{present.version}"')
    stored = asked.put(site, name, camera_body(new), author, now, as_read)
    return said, stored.version
