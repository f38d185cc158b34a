"""Judging versions on Spark: each slice of the holdout is a job, its tasks judge the choices of their users."""

import math
from collections.abc import Sequence

import numpy as np
from pyspark.sql import DataFrame

from pipelines.evaluation.holdout import ItemReference, JudgedChoices, Judging, judge, of_slice
from pipelines.features.timelines import Cuts
from pipelines.models.arrays import Arrays
from pipelines.models.kinds import from_bytes
from pipelines.models.model import Model
from pipelines.training.epochs import on_partitions
from pipelines.training.slices import Slice

NOTHING = {"user": np.empty(0, np.int64)}


def n_choices_of_tasks(cuts: Cuts, slices: Sequence[int], max_choices: int, n_partitions: int) -> dict[int, int]:
    """Slice → choices of each of its tasks: `max_choices` in all, by how many interactions a slice has."""
    n_rows = {number: int(cuts.n_rows[number]) for number in slices}
    total = max(sum(n_rows.values()), 1)
    return {number: math.ceil(max_choices * n / total / n_partitions) for number, n in n_rows.items()}


def judge_slice(
    timelines: DataFrame, model: Model, number: int, n_of_task: int, items: ItemReference, how: Judging
) -> JudgedChoices | None:
    """Judge choices of one slice of `timelines` (features/timelines.py); None where there is none.

    At most `n_of_task` choices of each partition come to the driver; they are the same for every model, in the same order.
    """
    config = model.config
    shared = timelines.sparkSession.sparkContext.broadcast(items)

    def of_part(part: Slice, data: bytes, partition: int) -> Arrays:  # noqa: ARG001
        judged = judge(from_bytes(config, data), part.whole(), part.user_hash, shared.value, how, n_of_task)
        return judged.as_arrays() if judged else NOTHING

    try:
        parts = [part for part in on_partitions(timelines, number, model, of_part)[0] if len(part["user"])]
    finally:
        shared.destroy()
    return of_slice(JudgedChoices.joined(parts), number) if parts else None
