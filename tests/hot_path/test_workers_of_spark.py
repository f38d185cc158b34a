"""The stage on Spark with shared arrays: its Python workers map one file."""

import os
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.hot_path.shared_model import SharedModel
from pipelines.hot_path.spark import with_personalization
from pipelines.hot_path.worker import StageSettings, Worker, worker_for
from pipelines.list_sections import ListsConfig
from pipelines.model_sections import ModelConfig
from pipelines.sections import ProfileConfig
from tests.hot_path.micro_batches import a_learner, run_stream, some_rows, stage_of, the_sums

pytestmark = [pytest.mark.spark, pytest.mark.servers]


def processes_that_map(path: Path) -> set[str]:
    inside = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            if str(path) in maps.read_text():
                inside.add(maps.parent.name)
        except OSError:  # it ended
            continue
    return inside


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="NOT TESTED: who maps a file is told by Linux alone")
def test_workers_of_spark_map_one_file(spark, redis_url, tmp_path):
    worker_for.cache_clear()
    config = ModelConfig(shared_folder=str(tmp_path))
    settings = StageSettings(redis_url, 77, ProfileConfig(), ListsConfig(n=3), config, the_sums(), "spark")
    learner = a_learner(redis_url)
    run_stream(settings, learner, range(2))
    worker_for.cache_clear()
    both = [some_rows(stage_of(9), first_offset=900, partition=partition) for partition in range(2)]
    rows = spark.createDataFrame(pa.Table.from_batches(both)).repartitionByRange(2, "partition")

    reports = with_personalization(rows, settings).collect()

    shared = SharedModel(str(tmp_path), "spark")
    (path,) = shared.folder.glob("*.model")
    assert sorted(report["partition"] for report in reports) == [0, 1]
    assert len(processes_that_map(path) - {str(os.getpid())}) == 2
    assert Worker(settings).current_model().to_bytes() == learner._copy.model.to_bytes()
    shared.remove()
    assert [path.name for path in shared.folder.iterdir()] == ["lock"]
