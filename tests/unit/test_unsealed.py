"""Unsealed footage and what was sealed a moment ago: one is not taken for the other."""

from __future__ import annotations

from recorder.model.timebase import SECOND
from recorder.reading.unsealed import same_media
from tests.support.make import T0, segment


def test_a_growing_file_is_the_segment_that_was_sealed_of_it_meanwhile() -> None:
    growing = segment(0, 3)
    shifted = segment(0.2, 4, media_start=growing.media_start)
    assert same_media(growing, shifted)


def test_the_first_file_of_a_new_session_is_not_that_of_the_session_before() -> None:
    before = segment(0, 4)
    growing = segment(12, 3, media_start=before.media_start, span_start=T0 + 12 * SECOND)
    assert not same_media(growing, before)
