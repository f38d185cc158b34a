"""docs/tables.md says what the contract says."""

from tests.docs.tables import PAGE, page


def test_the_page_is_what_the_contract_says():
    assert PAGE.read_text(encoding="utf-8") == page(), "run: .venv/bin/python -m tests.docs.tables"
    assert "| `lateness_seconds` | double |" in page() and "| `interest_day` | double |" in page()
