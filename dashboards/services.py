"""The services that answer by HTTP: events in, lists out."""

from dashboards.panel import Board, Panel
from dashboards.shared import LISTS_SERVED, NOT_PERSONAL, quantile, rate

BOARD = Board(
    "liveshelf-services",
    "collector and serving",
    {
        "Collector": [
            Panel(
                "Events accepted",
                "acknowledged by Kafka, by site",
                {"{{site}}": rate("liveshelf_collector_events_accepted_total", "site")},
                "ops",
            ),
            Panel(
                "Events rejected",
                "that broke a rule, by rule",
                {"{{rule}}": rate("liveshelf_collector_events_rejected_total", "rule")},
                "ops",
            ),
            Panel(
                "Until Kafka acknowledged",
                "half of the requests, and all but one in a hundred",
                {
                    "p50": quantile(0.5, "liveshelf_collector_produce_seconds"),
                    "p99": quantile(0.99, "liveshelf_collector_produce_seconds"),
                },
                "s",
            ),
            Panel("Waiting for Kafka", "events in the queue", {"events": "liveshelf_collector_queue_events"}),
        ],
        "Serving": [
            LISTS_SERVED,
            NOT_PERSONAL,
            Panel(
                "Reads of Redis",
                "half of them, and all but one in a hundred",
                {
                    "p50": quantile(0.5, "liveshelf_serving_redis_read_seconds"),
                    "p99": quantile(0.99, "liveshelf_serving_redis_read_seconds"),
                },
                "s",
            ),
            Panel(
                "Answers",
                "half of the requests, and all but one in a hundred",
                {
                    "p50": quantile(0.5, "liveshelf_serving_request_seconds"),
                    "p99": quantile(0.99, "liveshelf_serving_request_seconds"),
                },
                "s",
            ),
            Panel(
                "Stale",
                "lists that were flagged as stale",
                {"stale": rate("liveshelf_serving_stale_lists_total")},
                "ops",
            ),
            Panel("Redis", "1: it answers the service", {"up": "liveshelf_serving_redis_up"}, "none"),
        ],
    },
)
