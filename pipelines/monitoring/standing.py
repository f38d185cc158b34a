"""What Redis itself is asked at each look: its memory, its answers' time, what waits in it, and what is served."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from redis import Redis

from pipelines.stores.due import N_SHARDS, DueStore, Kind
from pipelines.stores.keys import list_log_key
from pipelines.stores.list_log import N_LOGS
from pipelines.stores.serving_mode import ServingModeStore

QUEUES: tuple[Kind, ...] = ("due", "renewal")


@dataclass(frozen=True)
class Standing:
    """Looks at Redis. Raises RedisError where it does not answer."""

    client: Redis

    def families(self) -> Iterator[Metric]:
        """What it is now."""
        began = time.perf_counter()
        self.client.ping()
        yield _gauge("liveshelf_redis_ping_seconds", "time that Redis took to answer", time.perf_counter() - began)
        memory = self.client.info("memory")
        yield _gauge("liveshelf_redis_memory_bytes", "memory that Redis uses", memory["used_memory"])
        yield _gauge("liveshelf_redis_memory_limit_bytes", "what it may use; 0: no limit", memory.get("maxmemory", 0))
        n_unfiled = sum(self.client.xlen(list_log_key(log)) for log in range(N_LOGS))
        yield _gauge("liveshelf_lists_unfiled", "published lists that are not in Delta yet", n_unfiled)
        yield self._waiting()
        mode = ServingModeStore(self.client).read().mode
        yield _gauge("liveshelf_serving_fallback", "1 while personal lists are switched off", mode == "fallback")

    def _waiting(self) -> Metric:
        family = GaugeMetricFamily(
            "liveshelf_lists_waiting", "users whose list is to be made again, by queue", labels=["queue"]
        )
        now_ms = time.time_ns() // 1_000_000
        for queue in QUEUES:
            upto = float(now_ms) if queue == "due" else float("inf")
            family.add_metric([queue], sum(DueStore(self.client).waiting(queue, upto, now_ms)[:N_SHARDS]))
        return family


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=float(value))
