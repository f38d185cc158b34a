"""What Redis itself is asked at each look: its memory, its answers' time, what waits in it, and what is served."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily, Metric
from redis import Redis

from pipelines.stores.due import DueStore, Kind
from pipelines.stores.keys import list_log_key
from pipelines.stores.list_log import N_LOGS
from pipelines.stores.serving_mode import ServingModeStore


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
        yield _gauge("liveshelf_lists_unfiled", "published lists that are not in Delta yet", unfiled_lists(self.client))
        yield self._waiting()
        mode = ServingModeStore(self.client).read().mode
        yield _gauge("liveshelf_serving_fallback", "1 while personal lists are switched off", mode == "fallback")

    def _waiting(self) -> Metric:
        family = GaugeMetricFamily(
            "liveshelf_lists_waiting", "users whose list is to be made again, by queue", labels=["queue"]
        )
        for queue, n_users in waiting_users(self.client, time.time_ns() // 1_000_000).items():
            family.add_metric([queue], n_users)
        return family


def unfiled_lists(client: Redis) -> int:
    """How many published lists are not in Delta yet."""
    return sum(client.xlen(list_log_key(log)) for log in range(N_LOGS))


def waiting_users(client: Redis, now_ms: int) -> dict[str, int]:
    """Users whose list is to be made again now, by queue."""
    upto: dict[Kind, float] = {"due": float(now_ms), "renewal": float("inf")}
    return {queue: sum(DueStore(client).waiting(queue, limit, now_ms)) for queue, limit in upto.items()}


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=float(value))
