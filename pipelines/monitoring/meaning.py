"""What a figure of a heartbeat is called in Prometheus, and what it means there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["counter", "gauge", "state", "flag"]  # state: its text is a label; flag: 1 where it says anything
PREFIX = "liveshelf_"
_FACTORS = {"_ms": 1e-3, "_us": 1e-6}  # to seconds


@dataclass(frozen=True)
class Meaning:
    """One figure. Counters begin again at 0 with each start of a job, which Prometheus' `rate` and `increase` know."""

    figure: str  # its name in the heartbeat
    name: str  # in Prometheus, without PREFIX and without the `_total` of counters
    about: str
    kind: Kind = "counter"
    labels: Mapping[str, str] = field(default_factory=dict)  # of this figure alone, where several make one metric
    by: str | None = None  # the label that holds the keys, of a figure that is counts by name; or the text, of a state
    then_by: str | None = None  # the label that holds the keys of what lies below those

    @property
    def metric(self) -> str:
        """The whole name in Prometheus, but for the `_total` of counters."""
        return PREFIX + self.name

    @property
    def factor(self) -> float:
        """From the figure's unit, which is the end of its name, to the base unit."""
        return next((factor for end, factor in _FACTORS.items() if self.figure.endswith(end)), 1.0)
