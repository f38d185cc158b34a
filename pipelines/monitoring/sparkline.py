"""A curve as small as a word, as SVG (Tufte, "Beautiful Evidence", 2006)."""

from collections.abc import Sequence
from itertools import pairwise

WIDTH, HEIGHT, MARGIN = 160, 36, 2


def risen(totals: Sequence[float]) -> list[float]:
    """(n − 1,) what totals rose by from point to point; from 0 where they began again."""
    return [after - before if after >= before else after for before, after in pairwise(totals)]


def sparkline(values: Sequence[float]) -> str:
    """A curve through (n,) values, the newest at the right; empty where there are fewer than two."""
    if len(values) < 2:
        return ""
    least, most = min(0.0, *values), max(values)
    span, step = (most - least) or 1.0, (WIDTH - 2 * MARGIN) / (len(values) - 1)
    places = [
        f"{MARGIN + n * step:.1f},{HEIGHT - MARGIN - (value - least) / span * (HEIGHT - 2 * MARGIN):.1f}"
        for n, value in enumerate(values)
    ]
    return (
        f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="from {values[0]:g} to {values[-1]:g}">'
        f'<polyline points="{" ".join(places)}"/></svg>'
    )
