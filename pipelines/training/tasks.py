"""What a task does with its part of a slice: learn from it in time order, or rank what was chosen in it."""

from dataclasses import dataclass

import numpy as np

from pipelines.model_sections import ModelConfig
from pipelines.models.arrays import Arrays
from pipelines.models.kinds import from_bytes
from pipelines.models.progressive import evaluate
from pipelines.training.slices import Slice
from pipelines.training.validation import choices_of

MODEL = "model"
SUMS = ("n_rows", "n_examples", "loss", "loss_of_popularity", "n_evaluated", "ndcg", "recall", "ndcg_of_popularity")


@dataclass(frozen=True)
class LearningSettings:
    """How a task learns."""

    config: ModelConfig
    batch_examples: int = 500  # rows of a micro-batch
    seed: int = 0

    def seed_of(self, number: int, partition: int, batch: int) -> int:
        """A number for each micro-batch of each task of each slice."""
        return int(np.random.SeedSequence((self.seed, number, partition, batch)).generate_state(1)[0])


def learned(settings: LearningSettings, data: bytes, part: Slice, number: int, partition: int) -> Arrays:
    """Let the model of these bytes learn micro-batch after micro-batch, each tested before (models/progressive.py).

    Returns SUMS over the examples, and `model`: the model's bytes after the last one.
    """
    model = from_bytes(settings.config, data)
    sums = np.zeros(len(SUMS))
    for batch_number, batch in enumerate(part.micro_batches(settings.batch_examples, settings.config.reach)):
        seed = settings.seed_of(number, partition, batch_number)
        tested = evaluate(model, batch, settings.config, seed)
        gradient = model.gradient(batch, seed)
        model.apply([gradient.data])
        sums += (
            *(batch.timeline.learn.sum(), gradient.n_examples, gradient.loss, gradient.loss_of_popularity),
            *(tested.n, tested.ndcg, tested.recall, tested.ndcg_of_popularity),
        )
    return {MODEL: np.frombuffer(model.to_bytes(), np.uint8)} | dict(zip(SUMS, sums[:, None], strict=True))


def ranked(config: ModelConfig, data: bytes, part: Slice, n_most: int, seed: int) -> Arrays:
    """Rank choices of the part (training/validation.py); `user` is a hash."""
    choices = choices_of(from_bytes(config, data), part.whole(), n_most, seed).as_arrays()
    return choices | {"user": part.user_hash[np.searchsorted(part.timeline.user, choices["user"])]}
