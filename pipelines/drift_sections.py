"""The section of the configuration about drift: what is compared, and from when on it counts."""

import math

from pydantic import Field, model_validator

from pipelines.section import Section

LEAST_BLOCKS = 3  # below, nobody knows by how much windows usually differ


class ConceptConfig(Section):
    """When the served lists are said to fit less than before."""

    ndcg_at: int = Field(10, ge=1, description="k of the NDCG of what was served")
    choices_per_point: int = Field(50, ge=1, description="choices that a point of the series is the mean of, at least")
    least_fall: float = Field(0.1, ge=0, lt=1, description="a fall by a smaller share is not told")


class DriftConfig(Section):
    """How `detect_drift` compares the newest events with those before."""

    window_hours: float = Field(24.0, gt=0, description="the current window: so many hours before now")
    reference_days: float = Field(7.0, gt=0, description="the reference: so many days before the current window")
    fields: tuple[str, ...] = Field(
        ("context.device_type", "context.location", "category", "brand"),
        description="fields of the event whose shares are compared, besides event_type, price and quantity",
    )
    psi: float = Field(0.1, ge=0, description="a smaller population stability index is no drift, however sure it is")
    false_alarms: float = Field(
        0.01, gt=0, lt=1, description="chance, at most, that a run tells of a drift of distributions where is none"
    )
    bins: int = Field(10, ge=2, le=100, description="bins of a number, as many of the reference in each")
    values: int = Field(
        20, ge=1, le=200, description="values of a category that are looked at one by one; the rest is one"
    )
    smallest_window: int = Field(100, ge=1, description="a window of fewer rows is not judged")
    missing_share: float = Field(
        0.1, ge=0, lt=1, description="fewer rows than this share of what a window usually has: data is missing"
    )
    concept: ConceptConfig = ConceptConfig()

    @property
    def n_blocks(self) -> int:
        """Windows in the reference: as long as the current one, whole days apart."""
        return int(self.reference_days // math.ceil(self.window_hours / 24))

    @model_validator(mode="after")
    def _has_blocks(self) -> "DriftConfig":
        if self.n_blocks < LEAST_BLOCKS:
            raise ValueError(
                f"a reference of {self.reference_days:g} days holds {self.n_blocks} windows of {self.window_hours:g} hours, and "
                f"{LEAST_BLOCKS} are needed to know by how much windows usually differ: raise reference_days"
            )
        return self
