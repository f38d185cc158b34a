"""The hours' measures, and which rule of the hourly suite speaks up at what."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipelines.audit.comparison import audit_hours
from pipelines.audit.hours import duplicates_per_hour, hourly_measures
from pipelines.audit.results import ALERT
from pipelines.audit.sampling import to_pandas
from pipelines.events.suite import WARN, load_suite
from pipelines.schemas import CONTEXT

pytestmark = pytest.mark.spark

SUITE = Path(__file__).parents[2] / "conf/expectations/clickstream_hours.json"
AS_OF = datetime(2024, 6, 29, 12, 5, tzinfo=timezone.utc)  # 11:00 is the newest complete hour
NEWEST = AS_OF.replace(minute=0) - timedelta(hours=1)
N_EVENTS = 2_000  # of a usual hour; every tenth is a purchase
_COORDINATES = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("ingest_time", pa.timestamp("us", "UTC")),
    ]
)
_CONTEXT = pa.struct([(name, pa.string()) for name in CONTEXT.names])


class Lake:
    """Hours of records, written in order; what is left out of both tables are duplicates."""

    def __init__(self, spark):
        self.spark, self.offset = spark, 0
        self.broken = [_COORDINATES.empty_table()]
        self.events = [_with(self.broken[0], [], [])]

    def add(self, hour, n_events=N_EVENTS, n_purchases=None, n_broken=20, n_duplicates=20, referrer="r"):
        n_purchases = n_events // 10 if n_purchases is None else n_purchases
        kinds = ["purchase"] * n_purchases + ["click"] * (n_events - n_purchases)
        contexts = [{**dict.fromkeys(CONTEXT.names, "x"), "referrer": referrer}] * n_events
        self.events.append(_with(self._next(hour, n_events, n_events), kinds, contexts))
        self.broken.append(self._next(hour, n_broken, n_broken + 1))
        self.offset += n_duplicates
        return self

    def _next(self, hour, n, of):
        """`n` records, evenly over the part of the hour that `n` is of `of`."""
        offsets = self.offset + np.arange(1, n + 1)
        self.offset += n
        times_us = round(hour.timestamp()) * 1_000_000 + 3599 * 1_000_000 * np.arange(1, n + 1) // max(of, 1)
        columns = [pa.repeat("t", n), pa.repeat(pa.scalar(0, pa.int32()), n), pa.array(offsets, pa.int64())]
        return pa.table([*columns, pa.array(times_us).cast(pa.timestamp("us", "UTC"))], schema=_COORDINATES)

    def measures(self, hours=2):
        events, broken = (self.spark.createDataFrame(pa.concat_tables(rows)) for rows in (self.events, self.broken))
        return hourly_measures(events, broken, as_of=AS_OF, hours=hours)

    def speaking(self, hours=2):
        """Severity → names of the rules that the last hours break."""
        rules = load_suite(SUITE, severities=(WARN, ALERT))
        result = audit_hours(to_pandas(self.measures(hours)), rules, ruleset="r", scope="a test", as_of=AS_OF)
        assert not result.not_audited
        return {rule.outcome.rule.name: rule.outcome.observed for rule in [*result.alerts, *result.warnings]}


def _with(rows, event_types, contexts):
    rows = rows.append_column("event_type", pa.array(event_types, pa.string()))
    return rows.append_column("context", pa.array(contexts, _CONTEXT))


def usual_weeks(spark, weeks=4):
    """The two hours before the newest one, in every week, this one included; and the newest in the weeks before."""
    lake = Lake(spark)
    for week in range(weeks, -1, -1):
        for hours_before in (2, 1, 0):
            if week or hours_before:
                more = 100 * hours_before  # no hour is like another
                lake.add(NEWEST - timedelta(weeks=week, hours=hours_before), n_events=N_EVENTS + more)
    return lake


def by_measure(frame, hour=NEWEST):
    return {row.measure: row for row in frame.collect() if row.hour == hour.replace(tzinfo=None)}


def test_an_hour_like_those_of_the_weeks_before_breaks_nothing(spark):
    lake = usual_weeks(spark).add(NEWEST)

    measures = by_measure(lake.measures())

    volume = measures["n_records"]
    assert (volume.value, volume.usual, volume.difference, volume.ratio, volume.n_records) == (2020, 2020, 0, 1, 2020)
    assert measures["share_of_type:purchase"].value == measures["share_of_type:purchase"].usual == 0.1
    assert measures["share_of_type:search"].value == 0
    assert measures["share_quarantined"].value == 20 / 2020
    assert measures["share_null:referrer"].value == 0
    assert measures["freshness_seconds"].value == 301 and measures["freshness_seconds"].usual is None
    assert len(measures) == 1 + 1 + 1 + 9 + 4 + 1
    assert lake.speaking() == {}


def test_usual_is_the_median_of_the_weeks_that_are_known(spark):
    lake = Lake(spark)
    for week, n_events in ((5, 9_000), (3, 100), (2, 900), (1, 200), (0, 400)):
        lake.add(NEWEST - timedelta(weeks=week), n_events=n_events, n_broken=0)

    volume = by_measure(lake.measures(hours=1))["n_records"]

    assert (volume.value, volume.usual, volume.ratio) == (400, 200, 2)


def test_without_history_nothing_is_usual_and_only_absolute_rules_speak(spark):
    lake = Lake(spark).add(NEWEST, n_events=1_000, n_broken=1_000)

    assert by_measure(lake.measures())["n_records"].usual is None
    assert lake.speaking().keys() == {"quarantine_small", "quarantine_not_large"}


@pytest.mark.parametrize(
    ("n_events", "names"),
    [
        (N_EVENTS * 0.7, {"volume_as_usual"}),
        (N_EVENTS * 0.4, {"volume_as_usual", "volume_not_halved"}),
        (N_EVENTS * 1.4, set()),
        (N_EVENTS * 2, {"volume_as_usual"}),
        (N_EVENTS * 4, {"volume_as_usual", "volume_not_tripled"}),
    ],
)
def test_volume_is_held_against_the_same_hour_of_earlier_weeks(spark, n_events, names):
    assert usual_weeks(spark).add(NEWEST, n_events=int(n_events)).speaking().keys() == names


def test_an_hour_without_a_record_is_there_and_alerts(spark):
    lake = usual_weeks(spark)

    silent = by_measure(lake.measures())

    assert (silent["n_records"].value, silent["n_records"].usual, silent["n_records"].ratio) == (0, 2020, 0)
    assert silent["share_of_type:click"].value is None
    speaking = lake.speaking()
    assert speaking.keys() == {"volume_not_halved", "volume_as_usual", "events_fresh", "events_not_stale"}
    assert speaking["volume_not_halved"] == "2024-06-29 11:00:00 n_records 0"


def test_an_outage_in_the_past_lowers_what_is_usual_only_by_its_week(spark):
    lake = usual_weeks(spark).add(NEWEST)
    from_, until = NEWEST - timedelta(weeks=1), AS_OF - timedelta(weeks=1)
    during = (pc.field("ingest_time") >= from_) & (pc.field("ingest_time") < until)
    lake.events, lake.broken = ([rows.filter(~during) for rows in table] for table in (lake.events, lake.broken))

    assert by_measure(lake.measures())["n_records"].usual == 2020


def test_a_shifted_share_of_a_type_is_found(spark):
    lake = usual_weeks(spark).add(NEWEST, n_purchases=int(N_EVENTS * 0.17))

    assert lake.speaking() == {
        "type_shares_as_usual": "2024-06-29 11:00:00 share_of_type:click 0.83; "
        "2024-06-29 11:00:00 share_of_type:purchase 0.17"
    }


def test_a_context_field_that_is_lost_is_found(spark):
    lake = usual_weeks(spark).add(NEWEST, referrer=None)

    assert by_measure(lake.measures())["share_null:referrer"].value == 1
    assert lake.speaking().keys() == {"context_nulls_as_usual", "context_not_lost"}


def test_many_duplicates_are_found(spark):
    lake = usual_weeks(spark)
    lake.add(NEWEST, n_duplicates=0, n_events=1_000, n_broken=0)
    lake.offset += 300  # in the middle of the hour
    lake.add(NEWEST, n_events=1_000, n_broken=0)

    measures = by_measure(lake.measures())

    # 20 more were sent at the end of the hour before: a gap belongs to the hour of the row after it
    assert measures["share_duplicates"].value == 320 / 2320
    assert lake.speaking().keys() == {"duplicates_small"}


def test_the_first_hour_of_the_history_knows_the_row_before_it(spark):
    lake = Lake(spark)
    for hour in (NEWEST - timedelta(weeks=4, hours=1), NEWEST - timedelta(weeks=4), NEWEST):
        lake.add(hour, n_events=80)

    assert by_measure(lake.measures(hours=1))["share_duplicates"].usual == 20 / 120


def test_only_complete_hours_are_judged(spark):
    lake = usual_weeks(spark).add(NEWEST).add(AS_OF.replace(minute=0), n_events=1)

    measures = lake.measures()

    assert measures.agg({"hour": "max"}).first()[0] == NEWEST.replace(tzinfo=None)
    assert measures.select("hour").distinct().count() == 2


def test_empty_tables_give_a_freshness_that_is_unknown(spark):
    lake = Lake(spark)

    (row,) = lake.measures().collect()

    assert (row.measure, row.value) == ("freshness_seconds", None)
    assert lake.speaking() == {}


def test_gaps_between_offsets_are_the_duplicates(spark):
    import random

    draw, fates = random.Random(7), []  # (partition, offset, hour, is kept)
    for partition in (0, 1):
        fates += [(partition, offset, offset // 50, draw.random() < 0.6) for offset in range(500)]
    kept = [("t", p, o, NEWEST + timedelta(hours=hour)) for p, o, hour, is_kept in fates if is_kept]
    kept += kept[:9]  # a row that is filed twice hides no gap
    draw.shuffle(kept)

    rows = pa.Table.from_pylist([dict(zip(_COORDINATES.names, row, strict=True)) for row in kept], _COORDINATES)
    counted = duplicates_per_hour(spark.createDataFrame(rows)).collect()

    expected = {}
    for partition in (0, 1):
        offsets = sorted({o for _, p, o, _ in kept if p == partition})
        for offset in range(offsets[0], offsets[-1]):
            if offset not in offsets:
                following = next(o for o in offsets if o > offset)
                hour = (NEWEST + timedelta(hours=following // 50)).replace(tzinfo=None)
                expected[hour] = expected.get(hour, 0) + 1
    assert {row.hour: row.n_duplicates for row in counted if row.n_duplicates} == expected
    assert sum(expected.values()) > 300
