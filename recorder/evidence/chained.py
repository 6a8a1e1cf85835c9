"""That a bundle's segments are those that were sealed: their links, and the log's word for them.

A file ``chain/SITE_CAMERA_STREAM.json`` has runs of links that follow one another; of each run the
last link is shown to stand in a batch, the batch's root in an entry, the entry in the log.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from recorder.audit.entry import Entry, read_entry
from recorder.audit.note import Checkpoint, read_checkpoint
from recorder.audit.tree import check_inclusion, leaf_hash
from recorder.errors import RecorderError
from recorder.evidence.chain import ACTION, Link, head_of, read_link
from recorder.evidence.manifest import CHECKPOINT, Manifest, Part, joined, time
from recorder.evidence.opened import Bundle
from recorder.evidence.path import Path, read_path
from recorder.evidence.verdict import Fault, Verdict
from recorder.model.checks import read_json
from recorder.model.counting import number_of
from recorder.model.keys import StreamId
from recorder.model.timebase import TimeRange, subtract

FOLDER = "chain/"
GONE = frozenset({"purged", "lost"})
"""Causes of gaps in which there was footage once: its links stay."""


def name_of(stream: StreamId) -> str:
    """Name the file of a stream's links.

    >>> name_of(StreamId("north", "gate", "main"))
    'chain/north_gate_main.json'
    """
    return f"{FOLDER}{joined(*_names(stream))}.json"


def _names(stream: StreamId) -> tuple[str, str, str]:
    return stream.site, stream.camera, stream.stream


def _name_in(bundle: Bundle, stream: StreamId) -> str:
    """Name the file as it is in a bundle: one made before had names joined in one way."""
    name, before = name_of(stream), f"{FOLDER}{'_'.join(_names(stream))}.json"
    return before if name not in bundle.names() and before in bundle.names() else name


@dataclass(frozen=True, slots=True)
class Run:
    """Links that follow one another, and how the last of them is shown to stand in the log.

    ``entry``: of the batch; empty where the log's word for it could not be had.
    """

    lines: tuple[bytes, ...]
    entry: bytes = b""
    batch: Path | None = None
    log: Path | None = None

    def show(self) -> dict[str, object]:
        """Write it."""
        body: dict[str, object] = {"links": [one.decode() for one in self.lines]}
        if self.batch is not None and self.log is not None:
            body |= {
                "batch": self.batch.show(),
                "entry": self.entry.decode(),
                "log": self.log.show(),
            }
        return body


def write_runs(runs: Sequence[Run]) -> bytes:
    """Write the file of a stream's runs."""
    return (json.dumps([one.show() for one in runs], indent=1, ensure_ascii=False) + "\n").encode()


def read_runs(raw: bytes) -> list[Run]:
    """Read one.  Raises: ``RequestError``, ``ValueError``, ``KeyError``, ``TypeError``."""
    found = []
    for body in read_json(raw, "links", exact=True):
        lines = tuple(one.encode() for one in body["links"])
        if "entry" in body:
            paths = read_path(body["batch"]), read_path(body["log"])
            found.append(Run(lines, body["entry"].encode(), *paths))
        else:
            found.append(Run(lines))
    return found


def verify_chains(
    bundle: Bundle, manifest: Manifest, verdict: Verdict, read: Callable[[Bundle, str], bytes]
) -> Iterator[Fault]:
    """Check the links of every stream against its segments, and against the log."""
    there = bundle.names()
    for part in manifest.parts:
        name = _name_in(bundle, part.stream)
        if name not in there:
            verdict.unproven.append(_not_chained(part, len(part.natives)))
            continue
        try:
            checkpoint = read_checkpoint(read(bundle, CHECKPOINT).decode())
            runs = read_runs(read(bundle, name))
            faults = list(check_part(part, runs, manifest.asked, checkpoint, verdict))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecorderError) as exc:
            yield Fault("chain", f"{name}: cannot be read: {exc}")
            continue
        yield from faults


def _those(count: int) -> str:
    return number_of(count, "segment is that which was", "segments are those that were")


def _its(count: int, several: str) -> str:
    return "it" if count == 1 else several


def _not_chained(part: Part, count: int) -> str:
    return (
        f"{part.title}: that {_those(count)} sealed: no link of {_its(count, 'theirs')} is in "
        "the bundle (recorded before there were any, or come from another site)."
    )


def check_part(
    part: Part, runs: Sequence[Run], asked: TimeRange, checkpoint: Checkpoint, verdict: Verdict
) -> Iterator[Fault]:
    """Check the links of one stream."""
    links: dict[str, Link] = {}
    logged: list[Entry] = []
    faults: list[Fault] = []
    for run in runs:
        found = [read_link(line) for line in run.lines]
        faults += _follow(part, run, found)
        links |= {one.key: one for one in found}
        faults += _logged(part, run, checkpoint, logged)
    faults += _natives(part, links)
    faults += _left_out(part, links, asked)
    yield from faults
    if faults:
        return
    without = sum(one.key not in links for one in part.natives)
    if without:
        verdict.unproven.append(_not_chained(part, without))
    if not _goes_beyond(links, asked):
        verdict.unproven.append(
            f"{part.title}: that nothing was recorded right before the range or after it: no "
            "link shows what came next (nothing yet, perhaps, or by another node)."
        )
    if len(logged) < len(runs):
        verdict.unproven.append(f"{part.title}: when some of its links were logged.")
    elif logged:
        verdict.proven.append(_said(part, len(part.natives) - without, logged))


def _said(part: Part, count: int, logged: Sequence[Entry]) -> str:
    """Say what the links prove: of a site below, from the coming of its footage on."""
    since, at = time(max(one.at for one in logged)), logged[-1].subject.site
    if at == part.stream.site:
        return (
            f"{part.title}: {_those(count)} sealed, in that order, none "
            f"between them left out: the log has had their digests since {since}."
        )
    came = number_of(count, "segment is that which", "segments are those that")
    return (
        f"{part.title}: {came} came to {at} from the site that recorded {_its(count, 'them')}, "
        f"none of those left out: the log has had their digests since {since}."
    )


def _follow(part: Part, run: Run, links: Sequence[Link]) -> Iterator[Fault]:
    """Check that links follow one another, and are of this stream."""
    for (line, one), (_, two) in pairwise(zip(run.lines, links, strict=True)):
        if two.before != head_of(line) or two.number != one.number + 1:
            yield Fault("chain", f"{part.title}: link {two.number} does not go on from the last")
    for one in links:
        if one.stream != part.stream:
            yield Fault("chain", f"{part.title}: link {one.number} is of {one.stream}")


def _logged(part: Part, run: Run, checkpoint: Checkpoint, logged: list[Entry]) -> Iterator[Fault]:
    """Check that a run's last link stands in a batch, and the batch in the log."""
    if run.batch is None or run.log is None:
        return
    entry = read_entry(run.entry)
    root = bytes.fromhex(str(entry.details.get("root", "")))
    batch, log = run.batch, run.log
    if entry.action != ACTION or not check_inclusion(
        leaf_hash(run.lines[-1]), batch.leaf, batch.size, batch.hashes, root
    ):
        yield Fault("chain", f"{part.title}: a link is not in the batch that is said to have it")
    if log.size != checkpoint.size or not check_inclusion(
        leaf_hash(run.entry), log.leaf, log.size, log.hashes, checkpoint.root
    ):
        yield Fault("chain", f"{part.title}: a batch of links does not stand in the log")
    logged.append(entry)


def _goes_beyond(links: Mapping[str, Link], asked: TimeRange) -> bool:
    """Tell whether the links reach over both ends of the range."""
    starts = any(one.range.start < asked.start for one in links.values())
    return starts and any(one.range.end > asked.end for one in links.values())


def _natives(part: Part, links: Mapping[str, Link]) -> Iterator[Fault]:
    """Hold each segment to what was linked when it was sealed."""
    for native in part.natives:
        link = links.get(native.key)
        if link is None:
            continue
        said = (link.sha256, link.size, link.range)
        if said != (native.file.sha256, native.file.size, native.range):
            yield Fault("chain", f"{native.file.name}: is not the segment that was sealed")


def _left_out(part: Part, links: Mapping[str, Link], asked: TimeRange) -> Iterator[Fault]:
    """Name segments that were sealed, are of the range, and are neither here nor said to be gone.

    Law L11: what was there once is in a gap that says that it was purged or lost.
    """
    here = {one.key for one in part.natives}
    gone = [gap.range for gap in part.gaps if gap.cause in GONE]
    for link in links.values():
        inside = link.range.clamp(asked)
        if link.key in here or inside is None:
            continue
        if subtract(inside, gone):
            yield Fault(
                "chain",
                f"{part.title}: the segment from {time(link.range.start)} to "
                f"{time(link.range.end)} was sealed and is left out",
            )
