"""Heartbeats as metrics. Pure: what a heartbeat says is all there is."""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.utils import floatToGoString

from pipelines.monitoring.job_meanings import OF_JOB
from pipelines.monitoring.meaning import Meaning
from pipelines.monitoring.meanings import LAG, OF_EVERY_STREAM, OF_STREAM, OUTCOME

STREAM, TASK = "stream", "task"
Beat = Mapping[str, Any]
Sample = tuple[dict[str, str], float]
Family = CounterMetricFamily | GaugeMetricFamily


def families_of(beats: Mapping[str, Beat]) -> Iterator[Metric]:
    """Every metric that the heartbeats (by stream) have figures for; one that no heartbeat mentions is left out."""
    families: dict[str, Family] = {}
    for stream, beat in beats.items():
        for meaning in OF_EVERY_STREAM:
            _add(families, meaning, beat, {STREAM: stream})
        for meaning in OF_STREAM.get(stream, ()):
            _add(families, meaning, beat, {})
        if LAG.figure in beat:
            yield _histogram(beat)
    yield from families.values()


def families_of_jobs(outcomes: Mapping[str, Beat]) -> Iterator[Metric]:
    """How the newest run of each job that ends has ended, by job, and what it found."""
    families: dict[str, Family] = {}
    for job, outcome in outcomes.items():
        for meaning in OUTCOME:
            _add(families, meaning, outcome, {TASK: job})
        for meaning in OF_JOB.get(job, ()):
            _add(families, meaning, outcome.get("figures", {}), {})
    yield from families.values()


def _add(families: dict[str, Family], meaning: Meaning, beat: Beat, labels: dict[str, str]) -> None:
    if meaning.figure not in beat:
        return
    for more, value in _samples(meaning, beat[meaning.figure]):
        told = {**labels, **meaning.labels, **more}
        family = families.setdefault(meaning.metric, _family(meaning, list(told)))
        family.add_metric(list(told.values()), value * meaning.factor)


def _samples(meaning: Meaning, value: Any) -> Iterator[Sample]:
    if meaning.kind == "flag":
        yield {}, float(bool(value))
    elif meaning.kind == "state":
        yield {str(meaning.by): str(value or "none")}, 1.0
    elif meaning.by is not None and meaning.then_by is not None:
        for name, inner in value.items():
            yield from (({meaning.by: name, meaning.then_by: of}, float(number)) for of, number in inner.items())
    elif meaning.by is not None:
        yield from (({meaning.by: name}, float(of_name)) for name, of_name in value.items())
    elif value is not None:
        yield {}, float(value)


def _family(meaning: Meaning, label_names: list[str]) -> Family:
    of_kind = CounterMetricFamily if meaning.kind == "counter" else GaugeMetricFamily
    return of_kind(meaning.metric, meaning.about, labels=label_names)


def _histogram(beat: Beat) -> Metric:
    """Cumulative, as Prometheus wants its buckets."""
    family, n_so_far, buckets = HistogramMetricFamily(LAG.metric, LAG.about), 0, []
    for bound, n in beat[LAG.figure].items():
        n_so_far += n
        buckets.append((floatToGoString(float(bound) * LAG.factor), n_so_far))  # type: ignore[no-untyped-call]
    family.add_metric([], buckets, sum_value=beat["lag_sum_ms"] * LAG.factor)
    return family
