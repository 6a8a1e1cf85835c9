"""What an open playlist has named once stays as it is, whoever seals what, and when."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from recorder import clean_points
from recorder.model.media import FragmentPoint, Segment
from recorder.model.timebase import SECOND, TimeRange
from recorder.playback.hls import Address, Present, playlist
from tests.support.make import T0, segment

LATE_NS = 6 * SECOND
"""Files of four seconds, and two until they are known."""


def part(node: str, start_s: int, counter: int = 0, span_s: int = 0, length_s: int = 4) -> Segment:
    """A file of groups of a second, of two fragments each."""
    points = [FragmentPoint(800 + 500 * n, 500, 45_000 * n, 45_000, (n + 1) % 2)
              for n in range(2 * length_s)]  # fmt: skip
    return segment(start_s, length_s, writer=f"{node}.1", counter=counter,
                   span_start=T0 + span_s * SECOND,
                   points=clean_points.pack_points(points))  # fmt: skip


def listed(parts: Sequence[Segment], now_s: float, *, end_s: int = 60, live: bool = True,
           growing: Sequence[Segment] = (), several: bool = False, own: str = ""
           ) -> tuple[list[str], bool]:  # fmt: skip
    """Return what is named, each as ``node@second``, and whether the list is over."""

    def address(one: Segment, offset: int, size: int) -> Address:
        second = (one.start - T0) // SECOND + offset // 1000
        return Address(f"{one.node}@{second}" + "-half" * (size == 500), own=True)

    present = Present(T0 + round(now_s * SECOND), {one.key for one in growing}, LATE_NS,
                      several, own)  # fmt: skip
    asked = TimeRange(T0, T0 + end_s * SECOND)
    text = playlist([*parts, *growing], asked, address, live, present=present)
    return re.findall(r"^(n.@\d+(?:-half)?)$", text, re.M), "#EXT-X-ENDLIST" in text


def seconds(node: str, first: int, last: int) -> list[str]:
    return [f"{node}@{second}" for second in range(first, last + 1)]


def test_a_node_that_took_over_is_named_when_no_more_can_come_of_the_first() -> None:
    first, other = part("n1", 0), part("n2", 2, span_s=2, length_s=8)
    assert listed([first], 9.9) == (seconds("n1", 0, 3), False)
    assert listed([first], 9.9, growing=[other]) == (seconds("n1", 0, 3), False)
    late = part("n1", 4, counter=1)
    assert listed([first, late], 10, growing=[other]) == (seconds("n1", 0, 7), False)
    named = seconds("n1", 0, 3) + seconds("n2", 4, 8)
    assert listed([first], 10.1, growing=[other]) == (named, False), "all but its last"
    assert listed([first, other], 12) == (seconds("n1", 0, 3) + seconds("n2", 4, 9), False)


def test_a_node_that_goes_on_after_a_hole_has_nothing_more_in_it() -> None:
    parts = [part("n1", 0), part("n2", 4, span_s=4), part("n1", 8, span_s=8)]
    filled = seconds("n1", 0, 3) + seconds("n2", 4, 7)
    assert listed(parts[:2], 9)[0] == seconds("n1", 0, 3)
    assert listed(parts, 9)[0] == filled
    assert listed(parts, 14)[0] == filled + seconds("n1", 8, 11)


def test_what_was_named_of_the_first_stays_though_the_other_begins_before_its_end() -> None:
    first = part("n1", 0)
    points = [FragmentPoint(800 + 1000 * n, 1000, 270_000 * n, 270_000, 1) for n in range(3)]
    other = segment(2, 9, writer="n2.1", span_start=T0 + 2 * SECOND,
                    points=clean_points.pack_points(points))  # fmt: skip
    (named, _), (again, _) = listed([first], 20), listed([first, other], 20)
    assert named == seconds("n1", 0, 3)
    assert again == [*named, "n2@2", "n2@3", "n2@4"], "from its clean point before, at 2"


def test_a_list_stays_open_while_more_is_held_back_though_its_range_is_over() -> None:
    first, other = part("n1", 0), part("n2", 4, span_s=4)
    assert listed([first, other], 9, end_s=8, live=False) == (seconds("n1", 0, 3), False)
    both = seconds("n1", 0, 3) + seconds("n2", 4, 7)
    assert listed([first, other], 11, end_s=8, live=False) == (both, True)


def test_of_several_nodes_that_record_at_once_what_is_known_of_all_is_named() -> None:
    """By who records it, its own at once; by another, what is so old that all have sealed it."""
    one = [part("n1", 0), part("n1", 4, 1), part("n1", 8, 2)]
    two = [part("n2", 0), part("n2", 4, 1), part("n2", 8, 2)]
    last: list[str] = []
    for now in (half / 2 for half in range(10, 60)):
        known = [s for s in one if now > 1.9 + (s.end - T0) / SECOND]
        known += [s for s in two if now > 1 + (s.end - T0) / SECOND]
        named, over = listed(known, now, end_s=12, live=now < 17, several=True)
        assert named[: len(last)] == last, now
        assert over == (now >= 19), "six seconds, and a group, after its end"
        last = named
    assert last == seconds("n1", 0, 11)


def test_a_node_that_records_among_several_names_its_own_and_waits_where_it_has_a_hole() -> None:
    own = [part("n2", 0), part("n2", 4, 1)]
    before = part("n1", 0, span_s=0)
    for others in ([], [before]):
        assert listed([*own, *others], 9, several=True, own="n2")[0] == seconds("n2", 0, 7)
    later = part("n2", 12, span_s=12)
    fills = [part("n1", 4), part("n1", 8, 1)]
    hole = [own[0], later]
    assert listed(hole, 13.9, several=True, own="n2")[0] == seconds("n2", 0, 3)
    filled = seconds("n2", 0, 3) + seconds("n1", 4, 11)
    assert listed([*hole, *fills], 13.9, several=True, own="n2")[0] == filled
    everything = filled + seconds("n2", 12, 15)
    assert listed([*hole, *fills], 18.1, several=True, own="n2")[0] == everything
    assert listed([later], 17.9, several=True, own="n2")[0] == []
    assert listed([later], 18.5, several=True, own="n2")[0] == seconds("n2", 12, 15)


def test_a_node_that_took_over_names_its_own_whatever_the_first_seals_late() -> None:
    late, growing = part("n1", -1, span_s=-8), part("n2", 0, span_s=-4, length_s=8)
    assert listed([late], 5, growing=[growing])[0][0] == "n1@0", "by another, the first is followed"
    assert listed([late], 5, growing=[growing], own="n2")[0] == seconds("n2", 0, 6)
    again = part("n2", 9, span_s=9)
    named = seconds("n2", 0, 7) + seconds("n2", 9, 12)
    assert listed([late, growing, again], 14, own="n2")[0] == named, "no other fills its holes"


@pytest.mark.parametrize("own", ["", "n2"])
def test_nothing_is_named_of_a_range_that_nobody_has_sealed_yet(own: str) -> None:
    assert listed([part("n1", 3, span_s=3)], 4, several=True, own=own) == ([], False)
