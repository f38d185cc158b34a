"""Training on Spark is sequential learning where there is one partition, and as good and repeatable where there are more."""

import numpy as np
import pytest

from pipelines.features.timelines import equal_cuts, span_of, to_timelines
from pipelines.models.kinds import empty
from pipelines.training.epochs import learn, rewound, validate
from pipelines.training.slices import read_slice
from pipelines.training.tasks import LearningSettings
from pipelines.training.validation import judged
from tests.models.builders import a_config
from tests.training.shop import a_log, slice_rows

CONFIG = a_config(factorization={"negatives": 16, "dimensions": 8})
SETTINGS = LearningSettings(CONFIG, batch_examples=60, seed=5)
N_SLICES = 4


@pytest.fixture(scope="module")
def timelines_of(spark):
    """One or more partitions of the planted shop, in four slices."""
    interactions = spark.createDataFrame(slice_rows(a_log()).drop(["slice", "learn"])).persist()
    cuts = equal_cuts(interactions, span_of(interactions), N_SLICES)
    made = {n: to_timelines(interactions, cuts, CONFIG.reach, n).persist() for n in (1, 2)}
    yield made.get
    for frame in [interactions, *made.values()]:
        frame.unpersist()


@pytest.mark.spark
def test_one_partition_learns_as_one_process_would(timelines_of):
    points = []
    model = learn(timelines_of(1), empty(CONFIG), SETTINGS, range(N_SLICES), points.append)

    alone, n_rows = empty(CONFIG), []
    for number in range(N_SLICES):
        part = read_slice(timelines_of(1).where(f"slice = {number}").toArrow().combine_chunks())
        for n, batch in enumerate(part.micro_batches(60, CONFIG.reach)):
            alone.apply([alone.gradient(batch, SETTINGS.seed_of(number, 0, n)).data])
        n_rows.append(int(part.timeline.learn.sum()))
    assert model.to_bytes() == alone.to_bytes()
    assert [point.n_rows for point in points] == n_rows and sum(n_rows) == 1_500
    assert points[-1].loss < points[0].loss and points[-1].ndcg > points[-1].ndcg_of_popularity
    assert all(point.memory_kb > 10_000 for point in points)


@pytest.mark.spark
def test_two_partitions_give_the_same_model_again_and_beat_popularity(timelines_of):
    models = [
        learn(timelines_of(2), empty(CONFIG), SETTINGS, range(N_SLICES - 1), lambda _: None).to_bytes()
        for _ in range(2)
    ]
    model = learn(timelines_of(2), empty(CONFIG), SETTINGS, range(N_SLICES - 1), lambda _: None)
    choices = validate(timelines_of(2), model, [N_SLICES - 1], n_choices_of_task=100)

    assert models == [model.to_bytes()] * 2
    assert judged(choices)["ndcg10_above_popularity"].low > 0.05
    assert set(choices.user.tolist()) <= {row[0] for row in a_log()} and len(choices.user) == 200


@pytest.mark.spark
def test_a_second_pass_counts_anew_and_learns_on(timelines_of):
    first = learn(timelines_of(1), empty(CONFIG), SETTINGS, range(N_SLICES), lambda _: None)
    second = learn(timelines_of(1), rewound(first), SETTINGS, range(N_SLICES), lambda _: None)

    order = second.find(first.items.index.item)
    assert second.items.n_events[order].tolist() == first.items.n_events.tolist()
    assert np.allclose(second.popularity()[order], first.popularity(), rtol=1e-9)
    assert second.scorer.tables["term"].accumulator.sum() > 1.5 * first.scorer.tables["term"].accumulator.sum()


@pytest.mark.spark
def test_a_slice_without_rows_changes_nothing(timelines_of):
    points = []
    model = learn(timelines_of(1), empty(CONFIG), SETTINGS, [99], points.append)

    assert model.to_bytes() == empty(CONFIG).to_bytes() and points[0].n_examples == 0 and np.isnan(points[0].loss)
    assert validate(timelines_of(1), model, [99], n_choices_of_task=5) is None
