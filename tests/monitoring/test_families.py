"""What a heartbeat says, as Prometheus reads it."""

import re

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry

from pipelines.monitoring.families import families_of, families_of_jobs
from pipelines.monitoring.job_meanings import OF_JOB
from pipelines.monitoring.meanings import LAG, NO_METRIC, OF_EVERY_STREAM, OF_STREAM, OUTCOME
from pipelines.tally import Tally

OF_ONE = [*OF_STREAM.values(), *OF_JOB.values()]
EVERY = [*OF_EVERY_STREAM, *OUTCOME, *(meaning for meanings in OF_ONE for meaning in meanings)]


class Given(Collector):
    def __init__(self, **beats) -> None:
        self._beats = beats

    def collect(self):
        yield from families_of(self._beats)


def samples(**beats) -> dict[str, float]:
    """Name, with labels as Prometheus writes them → value; through the text that Prometheus gets."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Given(**beats))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {named(sample): sample.value for family in families for sample in family.samples}


def named(sample) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
    return sample.name + (f"{{{labels}}}" if labels else "")


FAILED = 'liveshelf_stream_state{state="failed",stream="personalize"}'


@pytest.mark.parametrize(
    ("stream", "beat", "expected"),
    [
        pytest.param("validate_events", {"n_valid": 7}, {'liveshelf_records_total{verdict="valid"}': 7}, id="counter"),
        pytest.param(
            "validate_events",
            {"quarantined_by_rule": {"a": 2, "b": 1}},
            {'liveshelf_broken_rules_total{rule="a"}': 2, 'liveshelf_broken_rules_total{rule="b"}': 1},
            id="counts-by-name",
        ),
        pytest.param(
            "personalize", {"write_us": 2_500_000}, {'liveshelf_hot_path_seconds_total{step="write"}': 2.5}, id="us"
        ),
        pytest.param(
            "personalize",
            {"as_of_ms": 1_500},
            {'liveshelf_heartbeat_timestamp_seconds{stream="personalize"}': 1.5},
            id="ms",
        ),
        pytest.param(
            "build_features",
            {"kafka_lags": {"clicks": {"0": 2, "1": 0}}},
            {
                'liveshelf_stream_kafka_partition_lag_records{partition="0",stream="build_features",topic="clicks"}': 2,
                'liveshelf_stream_kafka_partition_lag_records{partition="1",stream="build_features",topic="clicks"}': 0,
            },
            id="by-two-names",
        ),
        pytest.param("build_features", {"kafka_lag": None}, {}, id="nothing-to-tell"),
        pytest.param("personalize", {"state": "failed"}, {FAILED: 1}, id="state"),
        pytest.param(
            "personalize", {"model_version": None}, {'liveshelf_model_version{version="none"}': 1}, id="no-state"
        ),
        pytest.param("personalize", {"frozen_because": None}, {"liveshelf_learner_frozen": 0}, id="flag-down"),
        pytest.param("personalize", {"frozen_because": "log-loss 9.1"}, {"liveshelf_learner_frozen": 1}, id="flag-up"),
        pytest.param("personalize", {"a figure of tomorrow": 3}, {}, id="unknown"),
        pytest.param("check_consistency", {"n_users": 3}, {}, id="no-stream"),
    ],
)
def test_a_figure_becomes_a_sample(stream, beat, expected):
    assert samples(**{stream: beat}) == expected


def test_two_streams_share_a_metric_and_are_told_apart():
    told = samples(personalize={"kafka_lag": 3}, validate_events={"kafka_lag": 5})

    assert told == {
        'liveshelf_stream_kafka_lag_records{stream="personalize"}': 3,
        'liveshelf_stream_kafka_lag_records{stream="validate_events"}': 5,
    }


def test_what_a_job_found_is_told_by_what_it_is_of():
    of_look = {"ended_ms": 1_500, "figures": {"age_seconds": {"events": 12, "table:lists": 7}, "of tomorrow": {"a": 1}}}
    families = [*families_of_jobs({"check_freshness": of_look, "train_model": {"exit_code": 0}})]

    told = {named(sample): sample.value for family in families for sample in family.samples}
    assert told == {
        'liveshelf_job_end_timestamp_seconds{task="check_freshness"}': 1.5,
        'liveshelf_freshness_age_seconds{of="events"}': 12,
        'liveshelf_freshness_age_seconds{of="table:lists"}': 7,
        'liveshelf_job_exit_code{task="train_model"}': 0,
    }


def test_lags_are_a_histogram():
    told = samples(personalize=Tally().add({"lag_ms": [40, 60, 60, 400_000]}))

    def up_to(bound: str) -> float:
        return told[f'liveshelf_event_to_list_seconds_bucket{{le="{bound}"}}']

    assert [up_to(bound) for bound in ("0.05", "0.1", "0.2", "300.0", "+Inf")] == [1, 3, 3, 3, 4]
    assert told["liveshelf_event_to_list_seconds_sum"] == pytest.approx(400.16)
    assert told["liveshelf_event_to_list_seconds_count"] == 4


@pytest.mark.parametrize("meaning", EVERY, ids=lambda meaning: f"{meaning.metric}-{meaning.figure}")
def test_names_are_as_prometheus_wants_them(meaning):
    assert re.fullmatch(r"liveshelf(_[a-z0-9]+)+", meaning.metric)
    assert not meaning.metric.endswith(("_total", "_ms", "_us", "_count", "_sum", "_bucket"))
    assert ("seconds" in meaning.metric) == meaning.figure.endswith(("_ms", "_us", "seconds"))


def test_what_makes_one_metric_agrees_on_what_it_is():
    for name in {meaning.metric for meaning in EVERY}:
        of_one = [meaning for meaning in EVERY if meaning.metric == name]
        assert len({(meaning.kind, meaning.about, tuple(meaning.labels), meaning.by) for meaning in of_one}) == 1, name
        told = [(tuple(meaning.labels.values()), meaning.figure) for meaning in of_one]
        assert len({labels for labels, _ in told}) == len(told), name


def test_no_figure_is_called_a_metric_and_none():
    assert not {meaning.figure for meaning in EVERY} & NO_METRIC.keys()
    assert LAG.figure in NO_METRIC  # told by the histogram
