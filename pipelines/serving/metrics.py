"""What the service counts, for Prometheus. Every label has few values: routes, sources, reasons, kinds of refusal."""

from collections import Counter as Counted

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipelines.http.figures import of_all_workers, render

UNAVAILABLE, UNWANTED, BOUGHT = "unavailable", "unwanted", "bought"  # why an item was left out
_PREFIX = "liveshelf_serving"
_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.05, 0.1, 0.25, 0.5, 1, 5)
_AGE_SECONDS = (1, 10, 60, 600, 3_600, 6 * 3_600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400)


class Metrics:
    """The figures of one process; with several workers, `render` adds up those of all."""

    def __init__(self) -> None:
        self._by_source: dict[tuple[str, str], Counter] = {}
        self.registry = CollectorRegistry()
        self._count_lists(self.registry)
        self._count_items(self.registry)
        self._count_requests(self.registry)
        self._count_redis(self.registry)

    def _count_lists(self, registry: CollectorRegistry) -> None:
        """What was answered."""
        self.lists = Counter(
            f"{_PREFIX}_lists",
            "lists that were answered, by what they begin with, and why that is no personal list",
            ["source", "reason"],
            registry=registry,
        )
        self.stale = Counter(f"{_PREFIX}_stale_lists", "those that were flagged as stale", registry=registry)
        self.short = Counter(f"{_PREFIX}_short_lists", "lists with fewer items than were asked for", registry=registry)
        self.age_seconds = Histogram(
            f"{_PREFIX}_list_age_seconds",
            "age of the personal lists that were answered",
            buckets=_AGE_SECONDS,
            registry=registry,
        )
        self.remembered = Counter(
            f"{_PREFIX}_remembered_lists", "personal lists from memory, while Redis was away", registry=registry
        )
        self.impressions = Counter(
            f"{_PREFIX}_impressions", "impressions for Kafka, if the service logs them", ["fate"], registry=registry
        )

    def _count_items(self, registry: CollectorRegistry) -> None:
        """What lists were made of."""
        self.filled = Counter(
            f"{_PREFIX}_filled_items", "items that did not come from the user's own list", ["reason"], registry=registry
        )
        self.filtered = Counter(
            f"{_PREFIX}_filtered_items", "items that were left out when they were read", ["why"], registry=registry
        )
        for why in (UNAVAILABLE, UNWANTED, BOUGHT):  # from 0 on: else the first of a kind would be no rise
            self.filtered.labels(why)
        self.asked = Counter(
            f"{_PREFIX}_lists_asked_for", "lists asked to be made again, as an item was gone", registry=registry
        )
        self.behind = Counter(
            f"{_PREFIX}_catalogue_behind",
            "reads that went on before the catalogue had come up to them",
            registry=registry,
        )

    def _count_requests(self, registry: CollectorRegistry) -> None:
        """How it was asked."""
        self.seconds = Histogram(
            f"{_PREFIX}_request_seconds",
            "from a request's head to its answer",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.refused = Counter(f"{_PREFIX}_requests_refused", "requests that were refused", ["kind"], registry=registry)
        self.not_modified = Counter(f"{_PREFIX}_not_modified", "requests answered with 304", registry=registry)

    def _count_redis(self, registry: CollectorRegistry) -> None:
        """What was read."""
        self.redis_errors = Counter(f"{_PREFIX}_redis_errors", "reads that failed", ["kind"], registry=registry)
        self.redis_seconds = Histogram(
            f"{_PREFIX}_redis_read_seconds",
            "time that Redis took to answer a read",
            buckets=_SECONDS,
            registry=registry,
        )
        self.redis_up = Gauge(
            f"{_PREFIX}_redis_up", "whether Redis answers", registry=registry, multiprocess_mode="livemin"
        )
        self.redis_up.set(1)
        self.unreadable = Counter(f"{_PREFIX}_unreadable_values", "values in Redis that are no list", registry=registry)
        self.fallback_reads = Counter(
            f"{_PREFIX}_fallback_lists", "fallback lists that were needed", ["from"], registry=registry
        )

    def count_list(self, source: str, reason: str) -> None:
        """Count an answer; which of the few counters it is, is looked up once. `reason`: one of lists.REASONS."""
        counter = self._by_source.get((source, reason))
        if counter is None:
            counter = self._by_source[source, reason] = self.lists.labels(source, reason)
        counter.inc()

    def lists_by_source(self) -> dict[str, int]:
        """How many lists were answered since the start, by what they begin with; those of all workers."""
        families = of_all_workers(self.registry).collect()
        samples = next((family.samples for family in families if family.name == "liveshelf_serving_lists"), [])
        found: Counted[str] = Counted()
        for sample in samples:
            found[sample.labels["source"]] += int(sample.value)
        return found

    def render(self) -> bytes:
        """Return the figures in Prometheus' text format."""
        return render(self.registry)
