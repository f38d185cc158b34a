"""docs/metrics.md says what the figures mean to the exporter."""

from tests.docs.metrics import PAGE, page


def test_the_page_is_what_the_exporter_says():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: .venv/bin/python -m tests.docs.metrics"
    assert "| `liveshelf_interactions_total` | counter | `fate` |" in page()


def test_the_page_has_what_the_services_count():
    for line in (
        "| `liveshelf_collector_events_accepted_total` | counter | `site`, `route` |",
        "| `liveshelf_serving_lists_total` | counter | `source`, `reason` |",
        "| `liveshelf_serving_redis_read_seconds` | histogram | |",
    ):
        assert line in page()
