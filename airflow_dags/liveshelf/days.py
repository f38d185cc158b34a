"""Days of a backfill, as instants."""

from datetime import date, datetime, time, timedelta, timezone


def ends_of_days(since: str, until: str) -> list[str]:
    """The instants at which the days from `since` to `until` end, both included, ISO 8601 in UTC.

    Raises ValueError when `until` is before `since`.
    """
    first, last = date.fromisoformat(since), date.fromisoformat(until)
    if last < first:
        raise ValueError(f"until must not be before since; got since {since}, until {until}")
    next_days = (first + timedelta(days=n) for n in range(1, (last - first).days + 2))
    return [datetime.combine(day, time(), timezone.utc).isoformat() for day in next_days]
