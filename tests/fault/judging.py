"""What must be true of the tree when all is right again."""

from __future__ import annotations

import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import httpx

from recorder.model.timebase import SECOND, format_instant, parse_instant
from recorder.spool.folders import FOLDERS
from tests.fault.breaks_stores import media as stored
from tests.fault.breaks_stores import scrubbed
from tests.fault.promises import SLOT_NS
from tests.fault.tree import GRACE_S, SEALED_NS, Site, Tree
from tests.support import media
from tests.support.nodes import Node
from tests.support.ports import until

FRAMES_BETWEEN = 4
TRANSIENT = ("open", "incoming", "thin", "sending", "moving", "mending", "burning", "probe")


def missing(tree: Tree) -> list[str]:
    """Say what was shown once, must be there, and is not, now that nothing is broken.

    What a node still writes the others know when it is sealed.
    """
    found, now = [], time.time_ns()
    sealed = (now - SEALED_NS) // SLOT_NS
    for node in tree.nodes:
        for camera in tree.seen_from(node):
            shown = tree.spans(node, camera)
            gone = tree.shown[camera, tree.site_of(node).name] - shown
            gone = {one for one in gone if one < sealed and tree.promises.must(camera, one, now)}
            if gone:
                found.append(f"{node.folder.name} of {camera}: {_ranges(gone)}")
    return found


def _ranges(gone: set[int]) -> str:
    """Write slots as ranges of times."""
    said, begin, last = [], min(gone), min(gone)
    for one in [*sorted(gone), max(gone) + 100]:
        if one > last + 1:
            times = [format_instant(at * SLOT_NS, 1)[11:] for at in (begin, last + 1)]
            said.append("–".join(times))
            begin = one
        last = one
    return ", ".join(said)


def admit_all(tree: Tree) -> None:
    """Let in who lost its catalog, as a person does who reads what the centre says."""
    node = tree.centre.node
    if node.process is None:
        return
    try:
        sites = node.http.get("/api/v1/sites", timeout=5).json()
        for one in sites:
            away = one.get("turned_away")
            if away:
                path = f"/api/v1/sites/{one['site']}/catalog"
                said = node.http.put(path, json={"catalog": away["catalog"]}, timeout=5)
                if said.is_success:
                    tree.say(f"  {one['site']} admitted")
    except httpx.HTTPError:
        return


def is_whole(tree: Tree) -> None:
    """Wait until all that was shown and must be there is there."""

    def whole() -> bool:
        admit_all(tree)
        return not missing(tree)

    try:
        until(whole, 180, f"what was shown, after {tree.told[-6:]}")
    except AssertionError as exc:
        exc.add_note(f"{missing(tree)}; {tree.folder}")
        raise


def all_is_sound(tree: Tree, folder: Path) -> None:
    """All ends well: what must be is there, what must not is gone, all is proven."""
    for site in tree.posts:
        until(lambda: _no_camera(site), 60, "no camera any more")  # noqa: B023
    until(lambda: not any(one.ffmpegs() for one in tree.nodes), 60, "recording ended")
    is_whole(tree)
    scrubbed(tree)
    until(lambda: _linked(tree), 240, "all is above")
    scrubbed(tree)
    if tree.short and not tree.copied:
        until(lambda: not _too_long(tree), 240, "what policy lets go is gone")
    is_whole(tree)
    for site in tree.sites.values():
        _gaps_are_true(tree, site)
        _words_count(tree, site)
    for site in tree.posts:
        _clips_are_whole(tree, site, folder)
    for node in tree.nodes:
        _proven(node)
    for node in tree.nodes:
        node.stop(120)
    for site in tree.sites.values():
        _nothing_left_over(site)


def _no_camera(site: Site) -> bool:
    try:
        return site.node.http.delete("/api/v1/cameras/cam", timeout=5).status_code in (204, 404)
    except httpx.HTTPError:
        return False


def _linked(tree: Tree) -> bool:
    """Tell whether all that must be kept of posts is shown above, and lies in its store."""
    admit_all(tree)
    now = time.time_ns()
    for site in tree.posts:
        want = {one for one in tree.shown[site.name, site.name]
                if tree.promises.must(site.name, one, now)}  # fmt: skip
        if not want <= tree.spans(tree.centre.node, site.name):
            return False
        if not tree.short:
            lacking = stored(site.store).keys() - stored(tree.centre.store).keys()
            if lacking:
                return False
        if any(list((node.spool / "sealed").rglob("*.mp4")) for node in site.nodes):
            return False
    return True


def _too_long(tree: Tree) -> list[str]:
    """Say what is shown that policy has let go."""
    tree.sweep()
    found, now = [], time.time_ns()
    for node in tree.nodes:
        for camera in tree.seen_from(node):
            shown = tree.spans(node, camera)
            late = {one for one in shown
                    if tree.promises.must_not(camera, one, now, GRACE_S * SECOND)}  # fmt: skip
            if late:
                found.append(f"{node.folder.name} of {camera}: {_ranges(late)}")
    return found


def _gaps_are_true(tree: Tree, site: Site) -> None:
    now = time.time_ns()
    for camera in tree.seen_from(site.node):
        shown = tree.shown[camera, site.name]
        for gap in tree.line_of(site.node, camera)["gaps"]:
            cause = gap["cause"]
            wrong = {"", "unknown", "lost", *(() if tree.filled else ("spool-full",))}
            assert cause not in wrong, (site.name, camera, gap)
            start, end = parse_instant(gap["start"]), parse_instant(gap["end"])
            inside = {one for one in shown if start <= one * SLOT_NS and (one + 1) * SLOT_NS <= end}
            kept = {one for one in inside if tree.promises.must(camera, one, now)}
            assert not kept, (site.name, camera, gap, _ranges(kept))
            free = {one for one in inside if one * SLOT_NS < now - SEALED_NS}
            assert cause in ("purged", "spool-full") or not free, (
                site.name,
                camera,
                gap,
                _ranges(free),
            )


def _words_count(tree: Tree, site: Site) -> None:
    """Holds and events are as they were said last, at their site and above or below it."""
    http = site.node.http
    holds = {one["id"]: one for one in http.get("/api/v1/holds", params={"all": "true"}).json()}
    for name, (where, held) in tree.words["holds"].items():
        concerned = (where, *_below(tree, where, tree.promises.kept[name].site))
        if site.name in concerned and held is not None:
            live = name in holds and holds[name]["released"] is None
            assert live == held, (site.name, name, holds.get(name), held)
    for name, (where, there) in tree.words["events"].items():
        if site.name in (where, "centre", tree.promises.kept[name].site) and there is not None:
            known = partial(_knows, http, name, there)
            # who lost its catalog twice is told all again five minutes after the first time
            until(known, 400, f"{site.name}: event {name} is there: {there}")


def _knows(http: httpx.Client, event: str, there: bool) -> bool:
    return (http.get(f"/api/v1/events/{event}").status_code == 200) == there


def _below(tree: Tree, where: str, camera: str) -> list[str]:
    return [camera] if where == "centre" else []


def _clips_are_whole(tree: Tree, site: Site, folder: Path) -> None:
    """Every clip of what is shown is of the frames that the camera sent, in their order."""
    for node in (site.node, tree.centre.node):
        for span in tree.line_of(node, site.name)["spans"]:
            start, end = parse_instant(span["start"]), parse_instant(span["end"])
            clip = node.save_clip(folder / "clip.mp4", "cam", start, end, site=site.name)
            numbers = media.read_numbers(clip)
            # the camera begins its film again when another client comes; where the footage of
            # two nodes meets, whose times differ a bit, a frame may be in both, or some in none
            most = FRAMES_BETWEEN if len(site.nodes) > 1 else 1
            jumps = [
                (one, after) for one, after in pairwise(numbers)
                if not 0 <= after - one <= most and after > 50
            ]  # fmt: skip
            assert not jumps, (node.folder.name, span, jumps)


def _proven(node: Node) -> None:
    # a copy that was damaged and is to go is not scrubbed any more: it goes when its grace is over;
    # what was damaged with its object in a node's spool, when that node has looked
    try:
        until(lambda: not node.broken("--digest"), 150, f"{node.folder.name} is sound")
    except AssertionError as exc:
        exc.add_note(str(node.broken("--digest")))
        raise
    said = node.run("audit", "verify")
    assert said.returncode == 0, (node.folder.name, said.stdout, said.stderr)
    tracebacks = [one for one in node.log.read_text().splitlines() if '"traceback"' in one]
    assert not tracebacks, (node.folder.name, tracebacks[:3])


def _nothing_left_over(site: Site) -> None:
    """Nothing lies about that nobody owns."""
    parts = [one for one in site.store.rglob(".*.part")]
    assert not parts, parts
    for node in site.nodes:
        spool = node.spool
        for name in TRANSIENT:
            left = [one for one in (spool / name).rglob("*") if one.is_file()]
            assert not left, (node.folder.name, left)
        strange = [one for one in spool.iterdir() if one.is_dir() and one.name not in FOLDERS]
        assert not strange, strange
