"""docs/lists.md: every example is a configuration, and gives the list that is shown beside it."""

import json
import re
from pathlib import Path

import pytest
import yaml

from pipelines.catalogue.item import CatalogueItem
from pipelines.config import load_config
from pipelines.list_sections import RulesConfig
from tests.lists.shops import Shop, User, a_ranker

PAGE = (Path(__file__).parents[2] / "docs/lists.md").read_text(encoding="utf-8")
SHOP = [json.loads(line) for line in re.search(r"```jsonl\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()]
EXAMPLES = re.findall(r"```yaml\n(.*?)```\nList: ([^\n]*)", PAGE, re.DOTALL)
USER = User(
    did=[("product_view", "clog", 300), ("add_to_cart", "sock", 200), ("purchase", "boot", 100)], bought=["polish"]
)


def an_item(told: dict) -> CatalogueItem:
    return CatalogueItem(**{**told, "tags": tuple(told.get("tags", ()))})


@pytest.mark.parametrize(("text", "shown"), EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_an_example_gives_the_list_beside_it(text, shown, tmp_path):
    path = tmp_path / "conf.yaml"
    path.write_text(text)
    lists = load_config(path).lists
    names = [told["item_id"] for told in SHOP]

    (made,) = Shop(a_ranker(*names), [an_item(told) for told in SHOP], lists.n, 0, lists.rules).lists(USER)

    assert made == re.findall(r"`(\w+)`", shown.splitlines()[0])


def test_every_rule_is_explained():
    assert len(EXAMPLES) == PAGE.count("```yaml") and yaml.safe_load(EXAMPLES[0][0]) == {"lists": {"n": 4}}
    assert not [name for name in RulesConfig.model_fields if f"{name}" not in PAGE]
