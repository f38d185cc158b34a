"""docs/expectations.md lists the kinds that the differential test runs, and the rules of the suite."""

from tests.events.kinds import PAGE, with_generated_parts


def test_the_page_is_what_the_test_and_the_suite_say():
    page = PAGE.read_text(encoding="utf-8")

    assert page == with_generated_parts(page), "run: .venv/bin/python -m tests.events.kinds"
    assert "expect_column_values_to_not_be_null" in page and "event_not_late" in page
