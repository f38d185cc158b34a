"""The section of the configuration about freshness: how old is too old, and what is done then."""

from pydantic import Field

from pipelines.section import Section


class FreshnessConfig(Section):
    """From which ages on `check_freshness` alerts, and from which it takes personal lists away."""

    soft_minutes: float = Field(15.0, gt=0, description="events older than that: an alert")
    hard_minutes: float = Field(60.0, gt=0, description="events older than that: everybody gets what stands in")
