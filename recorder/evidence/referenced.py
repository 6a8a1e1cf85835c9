"""A bundle of copies: its segments are named by their digests, and are not in it.

What the segments would say themselves cannot be held to the manifest; what is checked is that
the bundle is of this kind throughout, that its clips are made of the segments it names, and that
they show all of the time that those have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from recorder.evidence.manifest import (
    CLIPS,
    PICTURES,
    SEAM_NS,
    Manifest,
    Native,
    Part,
    time,
)
from recorder.evidence.verdict import Fault, Verdict
from recorder.evidence.words import gaps_words
from recorder.model.counting import number_of
from recorder.model.timebase import SECOND, TimeRange, parse_instant, subtract

SHOWN_NS = 2 * SECOND
"""Footage that no copy shows so short is what a cut to whole frames leaves, at a frame a second."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


def verify_copies(manifest: Manifest, verdict: Verdict) -> Iterator[Fault]:
    """Check a bundle of copies, and say what it proves and what it cannot."""
    found: list[Fault] = []
    try:
        for part, body in zip(manifest.parts, manifest.body["cameras"], strict=True):
            found += _part(manifest, part, body)
            found += [
                Fault("manifest", f"{part.title}: has {form}, which is of originals alone")
                for form in ("onvif", "c2pa")
                if body.get(form)
            ]
        what = _burnt(manifest.body["copies"])
    except (KeyError, TypeError, ValueError, LookupError, ArithmeticError) as exc:
        found.append(Fault("manifest", f"what it says of copies cannot be read: {exc}"))
    yield from found
    if found:
        return
    for part in manifest.parts:
        many, gaps = number_of(len(part.natives), "segment"), gaps_words(len(part.gaps))
        verdict.proven.append(
            f"{part.title}: the bundle has copies {what} burnt in. What they "
            f"were made of, {many}, is NOT in it; the manifest names each by its "
            f"SHA-256, so that whoever gets them can hold them to it. The manifest names "
            f"{gaps}, between {time(manifest.asked.start)} and {time(manifest.asked.end)}."
        )
    verdict.unproven.append(
        "That the copies show what the originals show, besides what covers it: they were decoded "
        "and encoded anew. And what the originals would say themselves of their time, frames and "
        "missing stretches: they are not here. Ask the site for them, to compare."
    )


def _burnt(said: Mapping[str, object]) -> str:
    """Say what was burnt in.  Raises: ``ValueError`` when it is nothing."""
    masked, mark = said["masked"], said["mark"]
    if not isinstance(masked, bool) or not isinstance(mark, list) or not (masked or mark):
        raise ValueError("neither masks nor a mark is burnt in")
    return " and ".join(
        text for text, there in (("with masks", masked), ("with a mark", mark)) if there
    )


def _part(manifest: Manifest, part: Part, body: Mapping[str, Any]) -> Iterator[Fault]:
    if manifest.body["copies"]["masked"] and not body["masks"]:
        yield Fault("manifest", f"{part.title}: is said to be masked, and no mask is named")
    for native in part.natives:
        if _DIGEST.fullmatch(native.file.sha256) is None or native.file.size <= 0:
            yield Fault("manifest", f"{native.key}: is not named by a digest")
    shown: list[TimeRange] = []
    for clip in body["clips"]:
        ranges = [_range(one) for one in clip["parts"]]
        shown += ranges
        if not str(clip["file"]).startswith(CLIPS):
            yield Fault("manifest", f"{clip['file']}: is no clip by its name")
        if not _is_made_of(str(clip["sources_sha256"]), ranges, part.natives):
            yield Fault(
                "segment", f"{clip['file']}: is made of other segments than the manifest names"
            )
    for one in body["pictures"]:
        if not str(one["file"]).startswith(PICTURES):
            yield Fault("manifest", f"{one['file']}: is no picture by its name")
    yield from _times(manifest, part, shown)


def _range(part: Mapping[str, Any]) -> TimeRange:
    return TimeRange(parse_instant(str(part["start"])), parse_instant(str(part["end"])))


def _times(manifest: Manifest, part: Part, shown: Sequence[TimeRange]) -> Iterator[Fault]:
    """Hold the time that copies show to the time that the originals have."""
    there = [piece for one in part.natives for piece in subtract(one.range, one.holes)]
    inside = [piece for one in there if (piece := one.clamp(manifest.asked)) is not None]
    for left in _joined([left for piece in inside for left in subtract(piece, shown)]):
        if left.duration_ns > SHOWN_NS:
            yield Fault(
                "gap",
                f"{part.title}: the originals have footage from {time(left.start)} to "
                f"{time(left.end)} that no copy shows",
            )
    for one in shown:
        for more in subtract(one, [native.range for native in part.natives]):
            if more.duration_ns > SEAM_NS:
                yield Fault(
                    "segment",
                    f"{part.title}: a copy shows {time(more.start)} to {time(more.end)}, of which "
                    "no original is named",
                )


def _joined(ranges: Sequence[TimeRange]) -> list[TimeRange]:
    """Join ranges that go on from one another."""
    found: list[TimeRange] = []
    for one in sorted(ranges, key=lambda one: one.start):
        if found and one.start - found[-1].end <= SEAM_NS:
            found[-1] = TimeRange(found[-1].start, max(found[-1].end, one.end))
        else:
            found.append(one)
    return found


def _is_made_of(digest: str, ranges: Sequence[TimeRange], natives: Sequence[Native]) -> bool:
    """Tell whether a clip's sources are segments that are named, those of its time among them."""
    if not ranges:
        return False
    whole = TimeRange(ranges[0].start, ranges[-1].end)
    near = [i for i, one in enumerate(natives) if one.range.overlaps(whole)]
    if not near:
        return False
    for begin in range(max(0, near[0] - 2), near[0] + 2):
        for end in range(near[-1], min(len(natives), near[-1] + 2) + 1):
            lines = "".join(f"{one.file.sha256}  {one.key}\n" for one in natives[begin:end])
            if sha256(lines.encode()).hexdigest() == digest:
                return True
    return False
