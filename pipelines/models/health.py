"""How well a model does while it learns, smoothed, and when that is reason to stop."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.model_sections import GuardsConfig


@dataclass(frozen=True)
class Mean:
    """A mean in which an example `smoothing` examples ago counts 1/e."""

    value: float = 0.0
    weight: float = 0.0  # of what is in it; at most `smoothing`
    n: int = 0  # examples ever

    def after(self, total: float, n: int, smoothing: float) -> "Mean":
        """The mean with `n` more examples that add up to `total`."""
        if not n:
            return self
        kept = self.weight * math.exp(-n / smoothing)
        fresh = -math.expm1(-n / smoothing) * smoothing
        return Mean((self.value * kept + total / n * fresh) / (kept + fresh), kept + fresh, self.n + n)


@dataclass(frozen=True)
class Health:
    """Progressive figures of the model and of popularity beside it."""

    loss: Mean = field(default_factory=Mean)
    loss_of_popularity: Mean = field(default_factory=Mean)
    ndcg: Mean = field(default_factory=Mean)
    recall: Mean = field(default_factory=Mean)
    ndcg_of_popularity: Mean = field(default_factory=Mean)

    def after(self, sums: Mapping[str, Any], smoothing: float) -> "Health":
        """Take in a micro-batch: sums of the report (task_reports.HOT_PATH_REPORT) over its tasks."""
        of_learning, of_ranking = int(sums["n_examples"]), int(sums["n_evaluated"])
        return Health(
            self.loss.after(sums["loss"], of_learning, smoothing),
            self.loss_of_popularity.after(sums["loss_of_popularity"], of_learning, smoothing),
            self.ndcg.after(sums["ndcg"], of_ranking, smoothing),
            self.recall.after(sums["recall"], of_ranking, smoothing),
            self.ndcg_of_popularity.after(sums["ndcg_of_popularity"], of_ranking, smoothing),
        )

    def trouble(self, config: GuardsConfig) -> str | None:
        """Why learning should stop; None while all is well.

        Both tests are against popularity on the same examples: when the shop's taste changes, both fall, and learning is
        what mends it.
        """
        if (
            self.loss.n >= config.patience_examples
            and self.loss.value > self.loss_of_popularity.value + config.loss_jump
        ):
            return f"log-loss {self.loss.value:.2f}, of popularity alone {self.loss_of_popularity.value:.2f}"
        lowest = config.lowest_relevance * self.ndcg_of_popularity.value
        if self.ndcg.n >= config.patience_examples and self.ndcg.value < lowest:
            return f"NDCG {self.ndcg.value:.3f}, of popularity alone {self.ndcg_of_popularity.value:.3f}"
        return None

    def figures(self) -> dict[str, float]:
        """The means by name, for people."""
        return {name: round(mean["value"], 4) for name, mean in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Health":
        """Read what `dataclasses.asdict` wrote."""
        return cls(**{name: Mean(**mean) for name, mean in values.items()})
