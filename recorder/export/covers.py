"""Polygons as pictures: which pixels are covered.  Pure.

A pixel is covered when its middle lies within the polygon (even-odd), or the polygon's edge runs
through its row within it: too much rather than too little.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from recorder.model.masks import Point

Polygon = Sequence[Point]


def alpha_of(polygons: Sequence[Polygon], width: int, height: int) -> Iterator[bytes]:
    """Yield the rows of a grey picture: white where it is covered."""
    for y in range(height):
        row = bytearray(width)
        for polygon in polygons:
            for begin, end in _covered(polygon, y, width, height):
                row[begin:end] = b"\xff" * (end - begin)
        yield bytes(row)


def black_of(polygons: Sequence[Polygon], width: int, height: int) -> Iterator[bytes]:
    """Yield the planes of a black picture (yuva420p) that is seen only where it is covered."""
    yield bytes(width * height)
    yield b"\x80" * (2 * (-(-width // 2)) * (-(-height // 2)))
    yield from alpha_of(polygons, width, height)


def _covered(polygon: Polygon, y: int, width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of a row's pixels that a polygon covers: what is within, then its edges.

    >>> list(_covered([(0.25, 0), (0.75, 0), (0.75, 1), (0.25, 1)], 1, 8, 4))
    [(2, 6), (6, 6), (2, 2)]
    """
    points = [(x * width, v * height) for x, v in polygon]
    edges = list(zip(points, (*points[1:], points[0]), strict=True))
    level = y + 0.5
    crossed = [one for one in edges if (one[0][1] > level) != (one[1][1] > level)]
    cuts = sorted(_at(one, level) for one in crossed)
    for left, right in zip(cuts[::2], cuts[1::2], strict=True):
        yield _run(left, right, width)
    for one, two in edges:  # a corner or an edge that reaches into the row
        low, high = max(y, min(one[1], two[1])), min(y + 1, max(one[1], two[1]))
        if low < high:
            ends = sorted((_at((one, two), low), _at((one, two), high)))
            yield _run(ends[0], ends[1], width)


def _run(left: float, right: float, width: int) -> tuple[int, int]:
    begin = min(max(math.floor(left), 0), width)
    return begin, max(begin, min(math.ceil(right), width))


def _at(edge: tuple[Point, Point], level: float) -> float:
    """Return where an edge crosses a level."""
    (x, y), (u, v) = edge
    return x + (u - x) * (level - y) / (v - y)
