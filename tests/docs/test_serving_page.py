"""docs/serving.md: what is copied from it works, and what it lists is there."""

import re
from pathlib import Path

import pytest

from pipelines.catalogue.item import CatalogueItem
from pipelines.lists.document import PublishedList
from pipelines.serving.described import LIST
from pipelines.serving.metrics import Metrics
from pipelines.serving.query import LIST_PARAMETERS
from pipelines.stores.catalogue import CatalogueStore
from pipelines.stores.keys import fallback_key, list_key

PAGE = (Path(__file__).parents[2] / "docs/serving.md").read_text(encoding="utf-8")


def a_list(items, spare=()) -> bytes:
    return PublishedList(items, [1.0] * len(items), 1, "m", "personal", "l", spare).to_json()


def test_the_lines_for_other_languages_leave_out_what_may_not_be_shown(redis_url, redis_client):
    shown: dict = {}
    exec(
        next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "def items_for" in block), shown
    )
    redis_client.set(list_key("u1"), a_list(["a", "gone", "b"], ["c", "d"]))
    redis_client.set(fallback_key("all"), a_list(["w", "gone"]))
    CatalogueStore(redis_client).write([CatalogueItem("gone", in_stock=False), CatalogueItem("a")])

    assert shown["items_for"](redis_client, "u1", 3) == ["a", "b", "c"]
    assert shown["items_for"](redis_client, "nobody", 3) == ["w"]


@pytest.mark.parametrize("name", [name for name in LIST_PARAMETERS if name != "key"])
def test_every_parameter_is_explained_on_the_page_and_in_the_document(name):
    assert f"| `{name}`" in PAGE or f", `{name}` |" in PAGE
    assert name in {parameter["name"] for parameter in LIST["openapi_extra"]["parameters"]}


def test_every_figure_is_on_the_page():
    names = {metric.name.removeprefix("liveshelf_serving_") for metric in Metrics().registry.collect()}

    assert not [name for name in names if f"`{name}" not in PAGE]
