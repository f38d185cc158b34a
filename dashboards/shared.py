"""What several boards ask, and panels that are on several."""

from dashboards.panel import Panel


def rate(counter: str, by: str = "", per: str = "$__rate_interval") -> str:
    """What a counter rises by in a second, by some labels or altogether."""
    return f"sum{f' by ({by})' if by else ''} (rate({counter}[{per}]))"


def quantile(share: float, histogram: str) -> str:
    """The value that this share of a histogram's observations stays below."""
    return f"histogram_quantile({share}, sum by (le) (rate({histogram}_bucket[$__rate_interval])))"


QUARANTINED = f"""{rate('liveshelf_records_total{verdict="quarantined"}')} / {rate("liveshelf_records_total")}"""
SILENCE = "time() - liveshelf_heartbeat_timestamp_seconds"
LAG = Panel(
    "Behind Kafka",
    "records that a stream had not read when its last micro-batch was planned; it grows when more comes than it can take",
    {"{{stream}}": "liveshelf_stream_kafka_lag_records"},
)
EVENT_TO_LIST = Panel(
    "From event to list",
    "Kafka's timestamp of an event to the list that it is in: half of them, and all but one in a hundred",
    {name: quantile(share, "liveshelf_event_to_list_seconds") for name, share in (("p50", 0.5), ("p99", 0.99))},
    "s",
)
LISTS_SERVED = Panel(
    "Lists served, by source",
    "what lists began with: `personal` should be nearly all; `segment` and below stand in",
    {"{{source}}": rate("liveshelf_serving_lists_total", "source")},
    "ops",
)
NOT_PERSONAL = Panel(
    "Why not personal",
    "lists that do not begin with the user's own: new visitors have none (`no_list`), the rest should be few",
    {"{{reason}}": rate('liveshelf_serving_lists_total{reason!~"own|asked_for"}', "reason")},
    "ops",
)
RELEVANCE = Panel(
    "Relevance before learning",
    "NDCG of choices that the model had not learned from yet, smoothed, beside popularity: the model lies above it",
    {"{{of}}": "liveshelf_progressive_ndcg"},
    "none",
)
