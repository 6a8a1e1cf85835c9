"""Unsealed footage and what was sealed a moment ago: one is not taken for the other."""

from __future__ import annotations

import itertools
from dataclasses import replace

from recorder.model.timebase import SECOND
from recorder.model.timeline import Span
from recorder.reading.unsealed import same_media, with_growing
from tests.support.make import T0, segment


def test_a_growing_file_is_the_segment_that_was_sealed_of_it_meanwhile() -> None:
    growing = segment(0, 3)
    shifted = segment(0.2, 4, media_start=growing.media_start)
    assert same_media(growing, shifted)


def test_the_first_file_of_a_new_session_is_not_that_of_the_session_before() -> None:
    before = segment(0, 4)
    growing = segment(12, 3, media_start=before.media_start, span_start=T0 + 12 * SECOND)
    assert not same_media(growing, before)


def test_a_span_begins_with_its_first_segment_in_whatever_order_they_wait_for_the_catalog() -> None:
    one, two, three = (segment(2 * i, 2) for i in range(3))
    one = replace(one, gap_cause="camera")
    (shown,) = with_growing([], [one, two, three])
    for order in itertools.permutations((one, two, three)):
        (span,) = with_growing([], order)
        assert (span.start, span.end) == (one.start, three.end)
        assert (span.gap_cause, span.opened) == (shown.gap_cause, shown.opened)
    catalog = Span(two.start, two.end, two.writer, two.span_start, two.codecs)
    (span,) = with_growing([catalog], [three, one])
    assert (span.start, span.end, span.gap_cause) == (one.start, three.end, "camera")


def test_a_file_that_grows_does_not_move_the_span_that_was_sealed_of_it() -> None:
    sealed = segment(2, 4, span_start=T0 + 2 * SECOND)
    catalog = Span(sealed.start, sealed.end, sealed.writer, sealed.span_start, sealed.codecs)
    growing = segment(1.5, 4, span_start=T0 + 3 * SECOND // 2)
    (span,) = with_growing([catalog], [growing])
    assert (span.start, span.end) == (sealed.start, sealed.end)
