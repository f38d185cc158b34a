"""docs/logs.md lists every event as the code has it."""

from tests.docs.logs import PAGE, page, tables


def test_the_tables_are_what_the_code_says():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: .venv/bin/python -m tests.docs.logs"
    assert "| `batch_done` | info | `duration_ms`, `rows`" in tables()
