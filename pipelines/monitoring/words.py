"""Numbers as people read them, on the page and in the terminal."""

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def lasted(seconds: float) -> str:
    """`5 s`, `3 min`, `2 h`, `4 d`: in the largest unit of which there are two."""
    seconds = max(seconds, 0.0)
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= 2 * size), UNITS[-1])
    return f"{seconds / size:.0f} {unit}"


def rounded(value: float | None) -> str:
    """Three digits, and thousands by commas; a dash where nobody told."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
