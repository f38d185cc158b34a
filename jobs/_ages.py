"""Instants as people read them."""

import time
from datetime import datetime, timezone

UNITS = ((86_400 * 365, "years"), (86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))


def age(as_of_s: float) -> str:
    """How long ago that was, in its largest unit of which there are two; `just now` below two seconds."""
    seconds = time.time() - as_of_s
    return next((f"{seconds / size:.0f} {unit} ago" for size, unit in UNITS if seconds >= 2 * size), "just now")


def utc(time_s: float) -> str:
    """`2026-01-01 00:00:00`."""
    return datetime.fromtimestamp(time_s, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
