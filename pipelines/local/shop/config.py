"""What the simulated shop is like."""

from dataclasses import dataclass, fields

from pipelines.errors import InputError

SHARES = ("visitor_share", "new_item_share", "retry_share", "late_share", "broken_share", "broken_retry_share")
POSITIVE = ("n_users", "n_items", "n_categories", "n_events", "events_per_second")


@dataclass(frozen=True)
class ShopConfig:
    """The same values give the same bytes. Raises InputError for values that make no shop."""

    n_users: int = 2_000  # people, known and anonymous
    n_items: int = 1_000
    n_categories: int = 20
    n_events: int = 100_000  # distinct good events; retries and broken records come on top
    events_per_second: float = 500.0  # good events, in the shop's own time
    seed: int = 7
    start_ms: int = 1_767_225_600_000  # when the first event happens, epoch ms: 2026-01-01T00:00:00Z
    visitor_share: float = 0.15  # of the people, known by anonymous_id only
    new_item_share: float = 0.2  # of the items, appearing while the shop runs
    retry_share: float = 0.02  # of the good events, sent again up to 30 s (a tenth of the run) later
    late_share: float = 0.02  # of the good events, sent minutes to hours after they happened
    broken_share: float = 0.01  # broken records for each good event
    broken_retry_share: float = 0.1  # of the broken records, sent again

    def __post_init__(self) -> None:
        for name in POSITIVE:
            if getattr(self, name) <= 0:
                raise InputError(f"shop: {name}: expected more than 0, got {getattr(self, name)}")
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"shop: {name}: expected 0 to 1, got {getattr(self, name)}")
        if self.n_items < 2 * self.n_categories:
            raise InputError(
                f"shop: n_items: expected at least two in each of {self.n_categories} categories, got {self.n_items}"
            )

    @property
    def duration_seconds(self) -> float:
        """How long the shop runs, in its own time."""
        return self.n_events / self.events_per_second

    def fingerprint(self) -> bytes:
        """All values, as text: event ids are made from it, so that runs that differ share none."""
        return ";".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self)).encode()
