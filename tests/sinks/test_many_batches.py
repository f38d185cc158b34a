"""500 micro-batches through the filing sink, audits beside them: nothing stays cached and the memory stays flat."""

import gc
import time
from datetime import datetime
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.audit.background import BackgroundAudit
from pipelines.events.extra import with_extra_fields
from pipelines.events.parse import parse_records
from pipelines.events.rules import compile_rules
from pipelines.events.verdicts import with_verdicts
from pipelines.schemas import Contract
from pipelines.sinks.delta import EventTables
from pipelines.streams import start_stream
from tests.events.builders import KAFKA, SUITE, a_value

pytestmark = pytest.mark.spark

N_BATCHES, EVERY = 500, 25  # looks at the memory every so many batches
WARM_UP, LOOKS = 2, 6  # looks that do not count; looks that are compared
NEW_EVERY = 50  # one batch in so many brings a new record, the others an old one or none: a merge that writes nothing
MAX_GROWTH_MB = 16  # 100 batches with a record of some 160 kB that stayed would be seen


class Watched:
    """A sink that looks at the memory now and then."""

    def __init__(self, spark, sink):
        self._spark, self._sink = spark, sink
        self.n_batches, self.cached, self.heap_mb, self.rss_mb = 0, [], [], []

    def __call__(self, batch, batch_id):
        self._sink(batch, batch_id)
        self.n_batches += 1
        if self.n_batches % EVERY == 0:
            self._look()

    def _look(self):
        gc.collect()  # Python first: what it lets go of the JVM may let go of, too, when it has heard of it
        time.sleep(0.2)
        jvm = self._spark.sparkContext._jvm
        jvm.System.gc()
        runtime = jvm.Runtime.getRuntime()
        self.heap_mb.append((runtime.totalMemory() - runtime.freeMemory()) / 2**20)
        self.rss_mb.append(psutil.Process().memory_info().rss / 2**20)
        self.cached.append(n_cached(self._spark))


def n_cached(spark):
    names = [str(rdd.name()) for rdd in dict(spark.sparkContext._jsc.getPersistentRDDs()).values()]
    return sum("Delta Table State" not in name for name in names)  # Delta's own cache, one per table


def a_source(spark, folder: Path):
    """One file a micro-batch: of six, one has a valid record, one a broken one, and four have none."""
    schema = spark.createDataFrame([], KAFKA).toArrow().schema
    for n in range(N_BATCHES):
        key = n // NEW_EVERY
        value = {0: a_value(event_id=f"e-{key}"), 3: b"{%d" % key}.get(n % 6)
        row = (b"u-1", value, "t", 0, n, datetime(2024, 6, 1, 12))
        columns = {name: [field] if value else [] for name, field in zip(schema.names, row, strict=True)}
        pq.write_table(pa.Table.from_pydict(columns, schema), folder / f"{n:05}.parquet")
    return spark.readStream.schema(KAFKA).option("maxFilesPerTrigger", 1).parquet(str(folder))


def test_five_hundred_batches_leave_nothing_behind(spark, tmp_path):
    (tmp_path / "source").mkdir()
    before = n_cached(spark)  # by other tests
    rules, audits, errors = compile_rules(spark, SUITE, Contract().checked), [], []
    audit = BackgroundAudit(rules, every_seconds=10, max_rows=100, on_result=audits.append, on_error=errors.append)
    tables = EventTables(str(tmp_path / "events"), str(tmp_path / "quarantine"), 10, 7, observe=audit.offer)
    sink = Watched(spark, tables)

    verdicts = with_verdicts(with_extra_fields(parse_records(a_source(spark, tmp_path / "source"))), rules)
    start_stream(verdicts, sink, name="many", checkpoint=str(tmp_path / "checkpoint"), once=True).wait()
    audit.stop()

    assert sink.n_batches == N_BATCHES and len(audits) > 2 and not errors
    assert len(sink.cached) == N_BATCHES // EVERY and max(sink.cached) <= before
    for megabytes in (
        sink.heap_mb,
        sink.rss_mb,
    ):  # the least of each: what the collectors have not yet found comes on top
        assert min(megabytes[-LOOKS:]) - min(megabytes[WARM_UP:][:LOOKS]) < MAX_GROWTH_MB, megabytes
    n_rows = [spark.read.format("delta").load(str(tmp_path / name)).count() for name in ("events", "quarantine")]
    assert n_rows == [N_BATCHES // NEW_EVERY] * 2
