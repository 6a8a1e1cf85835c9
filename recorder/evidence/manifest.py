"""The manifest of an evidence bundle: what was asked, what is there, what is not, and why.

Times are RFC 3339 in UTC with nine decimals; digests are SHA-256 in hex; names of files are
relative to the bundle, with ``/``.  The published schema is ``docs/guide/evidence.schema.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recorder.errors import BadDocument, RequestError
from recorder.model.about import MOST_LABEL, titled
from recorder.model.checks import check_integer, read_json
from recorder.model.keys import StreamId
from recorder.model.media import Segment
from recorder.model.timebase import Instant, TimeRange, format_instant, parse_instant

FORMAT = "spanstore-evidence"
VERSION, COPIES = 1, 2
"""Of a bundle with the segments as they were recorded; of one with masked or marked copies."""
NAME = "manifest.json"
SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
SIGNER = "signer.pem"
P256_SIGNATURE, CHAIN = "SHA256SUMS.p256.sig", "certificate.pem"
STAMPED, STAMP, STAMP_CA = "SIGNATURES", "SIGNATURES.tsr", "timestamp-ca.pem"
ENTRY, PROOF, CHECKPOINT = "log/entry.json", "log/proof.json", "log/checkpoint.txt"
REPORT, HELP = "REPORT.html", "VERIFY.txt"
ONVIF, ONVIF_CHAIN = "onvif/", "onvif/certificate.pem"
C2PA = "c2pa/"
NATIVE, CLIPS, PICTURES = "native/", "clips/", "pictures/"
UNSUMMED = frozenset({SUMS, SIGNATURE, SIGNER, P256_SIGNATURE, STAMPED, STAMP})
"""What no sum is of: the sums themselves, and what they are checked with."""
LISTED = ("clips", "pictures", "onvif", "c2pa")
"""What a camera's part of a manifest lists besides its segments."""
SEAM_NS = 1_000_000
"""Footage that goes on so soon after some goes on without a gap, as in a timeline."""


class BadManifest(ValueError):
    """A manifest that is none; says why."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a bundle.  Units: bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Native:
    """A segment as it was recorded, whole: the exhibit.

    ``holes``: stretches within it for which the camera sent no frame.
    """

    file: File
    key: str
    range: TimeRange
    writer: str
    holes: tuple[TimeRange, ...]
    frames: int
    codecs: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A stretch without footage, and its cause."""

    range: TimeRange
    cause: str


@dataclass(frozen=True, slots=True)
class Part:
    """What a bundle has of one stream; ``label``: what people call its camera, if that is said."""

    stream: StreamId
    natives: tuple[Native, ...]
    gaps: tuple[Missing, ...]
    label: str = ""

    @property
    def title(self) -> str:
        """The stream, for people."""
        return titled(str(self.stream), self.label)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, as far as it is checked; ``body`` is all of it.

    ``copies``: the segments that it names are not in the bundle, which has copies made of them.
    """

    id: str
    at: Instant
    site: str
    asked: TimeRange
    parts: tuple[Part, ...]
    copies: bool
    files: tuple[File, ...]
    body: Mapping[str, Any]


def joined(*names: str) -> str:
    """Join names of a site, camera, stream, so that no others are joined to the same.

    >>> joined("north", "gate", "main"), joined("north", "gate_2", "main")
    ('north_gate_main', 'north.gate_2.main')
    """
    return ("." if any("_" in one for one in names) else "_").join(names)


def write(body: Mapping[str, object]) -> bytes:
    """Write a manifest's bytes."""
    return (json.dumps(body, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def time(instant: Instant) -> str:
    """Write an instant.

    >>> time(1)
    '1970-01-01T00:00:00.000000001Z'
    """
    return format_instant(instant, 9)


def show_file(file: File) -> dict[str, object]:
    """Write a file, with its size and digest."""
    return {"file": file.name, "bytes": file.size, "sha256": file.sha256}


def show_native(segment: Segment, file: File, *, here: bool = True) -> dict[str, object]:
    """Write a segment: where it is in the bundle, where it lay, and what it says of itself.

    ``here``: it is in the bundle; else it is only named, by its digest.
    """
    offset = segment.camera_offset_ns
    original = {"in_bundle": False, "bytes": file.size, "sha256": file.sha256}
    return {
        **(show_file(file) if here else original),
        "key": segment.key,
        "start": time(segment.start),
        "end": time(segment.end),
        "writer": segment.writer,
        "span_start": time(segment.span_start),
        "counter": segment.counter,
        "frames": segment.frames,
        "holes": [_show_range(one) for one in segment.holes],
        "codecs": segment.codecs,
        "width": segment.width,
        "height": segment.height,
        "decoder_sha256": segment.decoder_digest,
        "camera_clock_offset_ns": offset,
        "clean_points_only": segment.is_thin,
    }


def show_gaps(gaps: Iterable[tuple[TimeRange, str]]) -> list[dict[str, str]]:
    """Write gaps with their causes."""
    return [{**_show_range(range_), "cause": cause} for range_, cause in gaps]


def _show_range(range_: TimeRange) -> dict[str, str]:
    return {"start": time(range_.start), "end": time(range_.end)}


def read(raw: bytes) -> Manifest:
    """Read a manifest.

    Raises: ``BadManifest``.
    """
    try:
        body = read_json(raw, NAME, exact=True)
    except BadDocument as exc:
        raise BadManifest(str(exc)) from exc
    try:
        version = body["version"]
        if body["format"] != FORMAT or version not in (VERSION, COPIES) or version is True:
            said = f"{body['format']!r} version {version!r}"
            raise BadManifest(f"{NAME}: is {said}, not {FORMAT} version {VERSION} or {COPIES}")
        copies = version == COPIES
        if copies != ("copies" in body):
            raise BadManifest(f"{NAME}: does not say whether it is of copies")
        parts = tuple(_read_part(one, here=not copies) for one in body["cameras"])
        if not parts:
            raise BadManifest(f"{NAME}: names no camera")
        named = [one for kind in LISTED for one in _listed(body["cameras"], kind)]
        natives = [one.file for part in parts for one in part.natives if not copies]
        made = body["made"]
        return Manifest(
            str(body["id"]),
            _instant(made["at"]),
            str(made["site"]),
            _range(body["asked"]),
            parts,
            copies,
            (*natives, *map(_file, named)),
            body,
        )
    except BadManifest:
        raise
    except (KeyError, TypeError, AttributeError, ArithmeticError, ValueError, RequestError) as exc:
        raise BadManifest(f"{NAME}: lacks, or has wrongly, {exc}") from exc


def _read_part(body: Mapping[str, Any], *, here: bool) -> Part:
    stream = StreamId(str(body["site"]), str(body["camera"]), str(body["stream"]))
    gaps = tuple(Missing(_range(one), str(one["cause"])) for one in body["gaps"])
    about = body.get("about") or {}  # older bundles say nothing for people
    label = str(about.get("label") or "")[:MOST_LABEL]
    return Part(stream, tuple(_native(one, here=here) for one in body["segments"]), gaps, label)


def _native(body: Mapping[str, Any], *, here: bool) -> Native:
    if body.get("in_bundle", True) is not here or here is not ("file" in body):
        raise BadManifest(f"{NAME}: {body['key']}: is in the bundle, or is not, against its kind")
    return Native(
        _file(body if here else {**body, "file": body["key"]}),
        str(body["key"]),
        _range(body),
        str(body["writer"]),
        tuple(_range(one) for one in body["holes"]),
        check_integer(body["frames"], "frames"),
        str(body["codecs"]),
    )


def _listed(cameras: Sequence[Mapping[str, Any]], name: str) -> list[Mapping[str, object]]:
    return [one for camera in cameras for one in camera.get(name, ())]


def _file(body: Mapping[str, object]) -> File:
    return File(str(body["file"]), check_integer(body["bytes"], "bytes"), str(body["sha256"]))


def _range(body: Mapping[str, object]) -> TimeRange:
    start, end = _instant(body["start"]), _instant(body["end"])
    if end < start:
        raise BadManifest(f"{NAME}: {body['start']} to {body['end']} ends before it starts")
    return TimeRange(start, end)


def _instant(text: object) -> Instant:
    try:
        return parse_instant(str(text))
    except Exception as exc:
        raise BadManifest(f"{NAME}: {exc}") from exc
