"""An evidence bundle: native segments, clips, pictures, the manifest, sums and their signature.

The order is what a death may cut off: footage first, then the manifest that names it, then the
log's word for the manifest, the sums and the signature.  What is cut off has no signature.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from recorder.errors import (
    CopyMissing,
    MalformedMedia,
    MixedCodecs,
    NoFootage,
    RecorderError,
    StoreRefused,
    StoreUnavailable,
)
from recorder.evidence import manifest
from recorder.evidence.manifest import File
from recorder.evidence.report import write_report
from recorder.evidence.sums import fingerprint, write_sums
from recorder.evidence.words import verify_help
from recorder.export.abreast import side_by_side
from recorder.export.archive import clips_in
from recorder.export.clip import Clip
from recorder.export.counted import Counting
from recorder.export.forms import Forms
from recorder.export.identity import show_part, sources_digest
from recorder.export.order import Order, Voucher
from recorder.export.planned import Plan, beside, plan_of
from recorder.export.sinks import Sink
from recorder.model.about import About, show_place
from recorder.model.keys import StreamId
from recorder.model.media import Segment
from recorder.model.missing import Missing, show_missing
from recorder.model.timebase import Instant, TimeRange, format_instant
from recorder.reading.named import Named
from recorder.reading.view import View

MOST_PICTURES = 6
"""Of one stream: the first frame of its spans, evenly chosen."""
CAMERAS_ABREAST = 2


@dataclass(frozen=True, slots=True)
class _Natives:
    """The segments of a bundle, for whoever looks for a segment's file."""

    sink: Sink

    def path_of(self, key: str) -> Path | None:
        return self.sink.path_of(manifest.NATIVE + key)


@dataclass(slots=True)
class Maker:
    """Makes one bundle.

    ``picture`` returns a JPEG of what a view has on screen, and when that was.  ``step`` is called
    with the bytes of footage that were written, ``begin`` before that with those that will be.
    """

    view: View
    sink: Sink
    picture: Callable[[View, StreamId, Instant], tuple[bytes, Instant]]
    step: Callable[[int], object] = lambda _: None
    files: list[File] = field(default_factory=list)
    begin: Callable[[int], object] = lambda _: None
    _counting: Counting = field(init=False)
    _ahead: dict[str, Future[File]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sink = self._counting = Counting(self.sink)

    def make(self, order: Order, voucher: Voucher) -> dict[str, object]:
        """Make it; return the manifest.

        Raises: ``NoFootage``, ``NotYet``; ``CopyMissing`` or ``StoreUnavailable`` when a
        segment cannot be had whole.
        """
        plans: list[Plan] = [(one, *plan_of(self.view, one, order.asked)) for one in order.streams]
        self.begin(sum(one.size_bytes for _, _, segments in plans for one in segments))
        cameras = self._cameras(plans, order)
        body = {
            "format": manifest.FORMAT,
            "version": manifest.VERSION if order.copier is None else manifest.COPIES,
            **({} if order.copier is None else {"copies": order.copier.show()}),
            "id": order.id,
            "made": order.made,
            "signed": order.signing.show(),
            "asked": {
                "start": manifest.time(order.asked.start),
                "end": manifest.time(order.asked.end),
            },
            "cameras": cameras,
        }
        raw = manifest.write(body)
        written = self._add(manifest.NAME, [raw])
        chosen = [
            [*segments, *beside(self.view, named.stream, order.asked)]
            for named, _, segments in plans
        ]
        for name, content in voucher.log(written.sha256, chosen).items():
            self._add(name, [content])
        for name, content in order.signing.files().items():
            self._add(name, [content])
        signer = fingerprint(voucher.public_pem)
        self._add(manifest.REPORT, [write_report(body, written.sha256, signer)])
        self._add(manifest.HELP, [verify_help(body, signer)])
        sums = write_sums(self.files)
        self.sink.keep(one.name for one in self.files)
        for name, content in order.signing.signatures(sums, voucher):
            self.sink.put(name, [content])
        return body

    def _add(self, name: str, blocks: Iterable[bytes]) -> File:
        file = self.sink.put(name, blocks)
        self.files.append(file)
        return file

    def _cameras(self, plans: Sequence[Plan], order: Order) -> list[dict[str, object]]:
        """Write what there is of cameras: clips of one are made while another's are synced."""
        abreast = min(CAMERAS_ABREAST, self.sink.abreast) if order.copier is None else 1

        def camera(plan: Plan) -> dict[str, object]:
            named, missing, segments = plan
            return self._camera(named, order, missing, segments)

        with self._fetching(plans, order), side_by_side(abreast, camera, plans) as waiting:
            return [one.result() for one in waiting]

    def _camera(
        self, named: Named, order: Order, missing: Missing, segments: Sequence[Segment]
    ) -> dict[str, object]:
        if order.copier is not None:
            with order.copier.aside() as beside:
                return self._shown(named, order, missing, segments, Counting(beside))
        return self._shown(named, order, missing, segments, self._counting)

    def _shown(
        self,
        named: Named,
        order: Order,
        missing: Missing,
        segments: Sequence[Segment],
        exhibits: Counting,
    ) -> dict[str, object]:
        """Write what there is of a stream; ``exhibits``: where its segments go."""
        stream, problems, copier = named.stream, list[str](), order.copier
        forms = Forms(order.signing, order.made, order.url, self._add)
        view = self.view.beside(_Natives(exhibits))  # what was fetched is not fetched again
        natives = [
            {
                **manifest.show_native(one, file, here=copier is None),
                "media_signatures": exhibits.signatures(file.name),
            }
            for one, file in zip(segments, self._natives(segments, exhibits), strict=True)
        ]
        return {
            "site": stream.site,
            "camera": stream.camera,
            "stream": stream.stream,
            "about": show_place(order.about.get(stream.camera_id, About())),
            **show_missing(missing),
            "gaps": manifest.show_gaps((gap.range, str(gap.cause)) for gap in missing.gaps),
            "policy": order.policy(named),
            **({} if copier is None else {"masks": copier.masks(stream)}),
            "segments": natives,
            "clips": list(self._clips(named, order, view, problems, forms)),
            **forms.listed,
            "pictures": list(self._pictures(named, order, view, missing, problems)),
            "problems": problems,
        }

    @contextlib.contextmanager
    def _fetching(self, plans: Sequence[Plan], order: Order) -> Iterator[None]:
        """Have the segments of all cameras on their way, while clips of the first are made.

        Not those that are to be copied under masks: each camera's go where only copies are made.
        """
        if order.copier is not None or self.sink.abreast == 1:
            yield
            return
        segments = {one.key: one for _, _, segments in plans for one in segments}
        with self._natives_of(list(segments.values()), self.sink) as ahead:
            self._ahead = dict(zip(segments, ahead, strict=True))
            yield

    def _natives_of(
        self, segments: Sequence[Segment], exhibits: Sink
    ) -> AbstractContextManager[list[Future[File]]]:
        """Write segments, some side by side: one is read while another is made durable."""
        return side_by_side(exhibits.abreast, lambda one: self._native(one, exhibits), segments)

    def _natives(self, segments: Sequence[Segment], exhibits: Sink) -> list[File]:
        """Return what was written of segments, or write them."""
        if self._ahead:
            return [self._ahead[one.key].result() for one in segments]
        with self._natives_of(segments, exhibits) as waiting:
            return [one.result() for one in waiting]

    def _native(self, segment: Segment, exhibits: Sink) -> File:
        """Write a segment as it was recorded, from the first place that has it whole."""
        wanted = File(manifest.NATIVE + segment.key, segment.size_bytes, segment.digest)
        file = wanted if exhibits.has(wanted) else self._fetched(wanted, segment, exhibits)
        if exhibits is self.sink:
            self.files.append(file)
        self.step(file.size)
        return file

    def _fetched(self, wanted: File, segment: Segment, exhibits: Sink) -> File:
        problems: list[str] = []
        away = False
        for blocks in self.view.copies.sources(segment, ""):
            try:
                return exhibits.put(wanted.name, blocks(), wanted)
            except (RecorderError, OSError) as exc:
                away = away or isinstance(exc, StoreUnavailable | StoreRefused)
                problems.append(str(exc))
        said = f"{segment.key}: {'; '.join(problems) or 'no copy of it is known'}"
        if away:
            raise StoreUnavailable(said)
        raise CopyMissing(said, hint="run `recorder check` to see what else is missing")

    def _clips(
        self, named: Named, order: Order, view: View, problems: list[str], forms: Forms
    ) -> Iterator[dict[str, object]]:
        """Make a clip that plays anywhere of each span, and the forms of it that were asked for.

        Where one cannot be made, that is said: the segments are the exhibit.
        """
        stream, copier, asked = named.stream, order.copier, order.asked
        with contextlib.closing(clips_in(view, stream, asked)) as clips:
            try:
                for name, clip in clips:
                    names = manifest.joined(stream.site, stream.stream, stream.camera)
                    path = f"{manifest.CLIPS}{names}{name.removeprefix(stream.camera)}"
                    with copier.copied(stream, clip) if copier else _as_it_is(clip) as blocks:
                        file = self._add(path, blocks)
                    forms.add(clip, path)
                    yield {
                        **manifest.show_file(file),
                        "parts": [show_part(part) for part in clip.parts],
                        "sources_sha256": sources_digest(clip.file.segments).strip(),
                    }
            except (MixedCodecs, MalformedMedia) as exc:
                if copier is not None:  # nothing else would show what there was
                    raise
                problems.append(f"clip: {exc}")

    def _pictures(
        self, named: Named, order: Order, view: View, missing: Missing, problems: list[str]
    ) -> Iterator[dict[str, object]]:
        """Take the first picture of some spans, as far as they can be decoded."""
        stream = named.stream
        for at in _starts(order.asked, missing):
            stamp = format_instant(at, 3).replace(":", "").replace("-", "")
            try:
                jpeg, shown = self.picture(view, stream, at)
                if order.copier is not None:
                    jpeg = order.copier.picture(stream, jpeg)
            except (NoFootage, MalformedMedia) as exc:
                problems.append(f"picture at {manifest.time(at)}: {exc}")
                continue
            names = manifest.joined(stream.site, stream.camera, stream.stream)
            name = f"{manifest.PICTURES}{names}_{stamp}.jpg"
            yield {
                **manifest.show_file(self._add(name, [jpeg])),
                "at": manifest.time(shown),
            }


@contextlib.contextmanager
def _as_it_is(clip: Clip) -> Iterator[Iterator[bytes]]:
    yield clip.read()


def _starts(asked: TimeRange, missing: Missing) -> list[Instant]:
    """Return where pictures are taken: where footage begins, and half way through it."""
    edges = [asked.start, *(gap.end for gap in missing.gaps)]
    begins = [at for at in edges if not any(gap.start <= at < gap.end for gap in missing.gaps)]
    begins = [at for at in begins if at < asked.end]
    if len(begins) == 1:
        ends = [gap.start for gap in missing.gaps if gap.start > begins[0]]
        begins.append((begins[0] + min(ends, default=asked.end)) // 2)
    step = max(1, -(-len(begins) // MOST_PICTURES))
    return begins[::step]
