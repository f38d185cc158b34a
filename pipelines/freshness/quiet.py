"""An age that does not grow while the shop sleeps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from pipelines.freshness_sections import DailyPause, FreshnessConfig

Span = tuple[int, int]  # epoch ms: from, up to


@dataclass(frozen=True)
class Clock:
    """The hours in which a shop is awake. Without pauses it always is."""

    pauses: Sequence[DailyPause] = ()
    zone: tzinfo = timezone.utc

    @classmethod
    def of(cls, config: FreshnessConfig) -> "Clock":
        return cls(config.pauses, ZoneInfo(config.time_zone))

    def awake_ms(self, begin_ms: int, end_ms: int) -> int:
        """How much of the time from `begin_ms` to `end_ms` (epoch ms) lies outside the pauses; 0 where they are turned round."""
        span = (begin_ms, max(end_ms, begin_ms))
        return span[1] - span[0] - sum(end - begin for begin, end in _united(self._asleep(span)))

    def _asleep(self, span: Span) -> Iterator[Span]:
        first, last = (datetime.fromtimestamp(ms / 1000, self.zone).date() for ms in span)
        for number in range(-1, (last - first).days + 1 if self.pauses else -1):
            day = first + timedelta(days=number)
            for start, end in self.pauses:
                until = day if end > start else day + timedelta(days=1)
                asleep = (self._ms(datetime.combine(day, start)), self._ms(datetime.combine(until, end)))
                if asleep[0] < span[1] and asleep[1] > span[0]:
                    yield max(asleep[0], span[0]), min(asleep[1], span[1])

    def _ms(self, wall: datetime) -> int:
        return round(wall.replace(tzinfo=self.zone).timestamp() * 1000)


def _united(spans: Iterator[Span]) -> Iterator[Span]:
    """Give the same spans without overlaps: of pauses that meet, each millisecond counts once."""
    reached: int | None = None
    for begin, end in sorted(spans):
        if reached is None or end > reached:
            yield (begin if reached is None else max(begin, reached)), end
            reached = end
