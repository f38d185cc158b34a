"""A curve as small as a word (Tufte, "Beautiful Evidence", 2006), as SVG and as letters."""

from collections.abc import Sequence
from itertools import pairwise

WIDTH, HEIGHT, MARGIN = 160, 36, 2
HEIGHTS = "▁▂▃▄▅▆▇█"


def risen(totals: Sequence[float]) -> list[float]:
    """(n − 1,) what totals rose by from point to point; from 0 where they began again."""
    return [after - before if after >= before else after for before, after in pairwise(totals)]


def sparkline(values: Sequence[float], beside: Sequence[float] = ()) -> str:
    """A curve through (n,) values, the newest at the right; empty where there are fewer than two.

    `beside`: another curve to compare with, on the same scale, drawn behind it.
    """
    if len(values) < 2:
        return ""
    least, most = min(0.0, *values, *beside), max(*values, *beside)
    curves = [f'<polyline class="{name}" points="{_points(curve, least, most)}"/>'
              for name, curve in (("beside", beside), ("curve", values)) if len(curve) > 1]  # fmt: skip
    return (
        f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="from {values[0]:g} to {values[-1]:g}">'
        f"{''.join(curves)}</svg>"
    )


def letters(values: Sequence[float], n_most: int = 24) -> str:
    """The newest of (n,) values, a letter each, as high as the value is."""
    values = values[-n_most:]
    least, most = min(0.0, *values), max(values)
    span = (most - least) or 1.0
    return "".join(HEIGHTS[round((value - least) / span * (len(HEIGHTS) - 1))] for value in values)


def _points(values: Sequence[float], least: float, most: float) -> str:
    span, step = (most - least) or 1.0, (WIDTH - 2 * MARGIN) / (len(values) - 1)
    return " ".join(
        f"{MARGIN + n * step:.1f},{HEIGHT - MARGIN - (value - least) / span * (HEIGHT - 2 * MARGIN):.1f}"
        for n, value in enumerate(values)
    )
