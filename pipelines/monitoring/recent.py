"""What was lately: totals as the history has them, and what they rose by since."""

from collections.abc import Mapping, Sequence
from typing import Any

from redis import Redis

from pipelines.stores.history import HistoryStore

Figures = Mapping[str, float]


def before(client: Redis, job: str, now_ms: int, *minutes_ago: int) -> tuple[Figures, ...]:
    """What `job` had told so many minutes ago, of each; nothing where it is younger."""
    noted = HistoryStore(client).read(job, max(minutes_ago) + 2)  # a point a minute
    instants = (now_ms - minutes * 60_000 for minutes in minutes_ago)
    return tuple(next((point.figures for point in reversed(noted) if point.at_ms <= at), {}) for at in instants)


def share_since(now: Mapping[str, Any], then: Figures, part: str, whole: Sequence[str]) -> float:
    """What `part` rose by, of what the totals of `whole` rose by together; since the start where the process is a newer one."""
    names = {part, *whole}
    if any(now.get(name, 0) < then.get(name, 0) for name in names):
        then = {}
    rise = {name: now.get(name, 0) - then.get(name, 0) for name in names}
    return float(rise[part] / sum(rise[name] for name in whole)) if rise[part] else 0.0
