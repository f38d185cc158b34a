"""What is copied from the page about collecting is what was tested."""

import re
import textwrap
from pathlib import Path

import pytest

from tests.tracker.test_tag_manager import EVENTS

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/collecting.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["tracker", "ecommerce"])
def test_the_tags_for_tag_manager_are_the_tested_ones(name):
    tag = (PROJECT / f"tracker/gtm-{name}.html").read_text(encoding="utf-8")

    assert textwrap.indent(tag, "   ") in PAGE


def test_the_trigger_for_tag_manager_is_the_tested_one():
    assert f"^({EVENTS})$" in PAGE


def test_the_lines_for_every_page_are_those_of_the_example():
    stub, script = re.search(r"```html\n(<script>.*)\n(<script async .*)\n```", PAGE).groups()
    example = (PROJECT / "examples/shop/index.html").read_text(encoding="utf-8")

    assert stub in example
    assert re.findall(r"data-ls-\w+", script) == re.findall(r"data-ls-\w+", re.search(r"<script async .*", example)[0])


def test_every_attribute_that_the_tracker_reads_is_explained():
    source = (PROJECT / "tracker/tracker.js").read_text(encoding="utf-8")
    read = set(re.findall(r"data-ls-([a-z]+)|(?:attribute|closest)\(.*?, '(\w+)'\)|said\('(\w+)'\)", source))
    names = {name for found in read for name in found if name}

    assert len(names) == 13
    assert not [name for name in names if f"`data-ls-{name}" not in PAGE]
