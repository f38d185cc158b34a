"""What the learner must know to go on, besides the model: published with every step, so that a driver that starts finds it."""

from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.models.health import Health


@dataclass(frozen=True)
class LearningState:
    """Where the model comes from, how it does, and how much a task may learn from in the next micro-batch."""

    version: str | None = None  # in the model registry: what it descends from; None: it began empty
    examples_per_task: int = 1_000
    health: Health = field(default_factory=Health)
    frozen_because: str | None = None
    frozen_until_ms: int = 0
    n_freezes: int = 0

    @property
    def is_frozen(self) -> bool:
        return self.frozen_because is not None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "LearningState":
        """Read what `to_dict` wrote; an empty one is a beginning."""
        return cls(**{**values, "health": Health.from_dict(values["health"])}) if values else cls()
