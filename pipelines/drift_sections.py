"""The section of the configuration about drift: what is compared, and from when on it counts."""

from pydantic import Field

from pipelines.section import Section


class DriftConfig(Section):
    """How `detect_drift` compares the newest events with those before."""

    window_hours: float = Field(24.0, gt=0, description="the current window: so many hours before now")
    reference_days: float = Field(7.0, gt=0, description="the reference: so many days before the current window")
