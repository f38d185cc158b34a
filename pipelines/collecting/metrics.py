"""What the collector counts, for Prometheus. Every label has few values: sites, routes, rules, kinds of refusal."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipelines.http.figures import render

_SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The figures of one process; with several workers, `render` adds up those of all."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        prefix = "liveshelf_collector"
        self.accepted = Counter(
            f"{prefix}_events_accepted", "events that Kafka has acknowledged", ["site", "route"], registry=registry
        )
        self.rejected = Counter(
            f"{prefix}_events_rejected", "events that break a rule", ["route", "rule"], registry=registry
        )
        self.unconsented = Counter(
            f"{prefix}_events_without_consent",
            "events whose ids were dropped, or all of them",
            ["fate"],
            registry=registry,
        )
        self.ignored = Counter(
            f"{prefix}_webhook_parts_ignored",
            "parts of webhooks that have no counterpart",
            ["vendor"],
            registry=registry,
        )
        self.refused = Counter(
            f"{prefix}_requests_refused", "requests of which no event was taken", ["route", "kind"], registry=registry
        )
        self.rate_limited = Counter(
            f"{prefix}_requests_rate_limited", "requests beyond a write key's rate", ["site"], registry=registry
        )
        self.produce_seconds = Histogram(
            f"{prefix}_produce_seconds",
            "from handing a request's events to Kafka's client until Kafka has acknowledged all",
            buckets=_SECONDS,
            registry=registry,
        )
        self.queue_events = Gauge(
            f"{prefix}_queue_events", "events that wait for Kafka", registry=registry, multiprocess_mode="livesum"
        )
        self.queue_bytes = Gauge(
            f"{prefix}_queue_bytes", "the same in bytes", registry=registry, multiprocess_mode="livesum"
        )

    def render(self) -> bytes:
        """Return the figures in Prometheus' text format."""
        return render(self.registry)
