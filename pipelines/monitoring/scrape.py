"""All figures at one look, in Prometheus' text format."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from pipelines.monitoring.families import families_of, families_of_jobs
from pipelines.monitoring.meanings import JOBS_THAT_END, OF_STREAM
from pipelines.monitoring.standing import Standing
from pipelines.stores.heartbeat import HeartbeatStore
from pipelines.stores.outcomes import OutcomeStore

UP = "liveshelf_redis_up"


@dataclass(frozen=True)
class Scrape(Collector):
    """Looks at Redis when it is asked, and only then. While Redis is away, that is all there is to tell."""

    client: Redis

    def collect(self) -> Iterator[Metric]:
        """Everything, as it is now."""
        try:
            told = [*self._of_streams(), *self._of_jobs(), *Standing(self.client).families()]
        except RedisError:
            told = []
        yield GaugeMetricFamily(UP, "whether Redis answers", value=float(bool(told)))
        yield from told

    def text(self) -> bytes:
        """The same as text."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def _of_streams(self) -> Iterator[Metric]:
        store = HeartbeatStore(self.client)
        beats = {stream: beat for stream in OF_STREAM if (beat := store.read(stream)) is not None}
        yield from families_of(beats)

    def _of_jobs(self) -> Iterator[Metric]:
        outcomes = OutcomeStore(self.client).read(JOBS_THAT_END)
        yield from families_of_jobs({job: asdict(outcome) for job, outcome in outcomes.items()})
