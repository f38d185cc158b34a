"""The items: category, brand, price, popularity, the moment they appear."""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from pipelines.local.shop.config import ShopConfig

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

POPULARITY_EXPONENT = 1.0  # Zipf: the second item of a category sells half as often as the first
CONSUMABLE_EVERY = 4  # one category in four is bought again and again
BRANDS_PER_CATEGORY = 5
REDRAWS = 3
CATEGORY_NAMES = (
    "coffee", "shoes", "lamps", "phones", "tea", "books", "bags", "garden", "pet-food", "toys",
    "watches", "kitchen", "cosmetics", "bikes", "chairs", "games", "vitamins", "jackets", "audio", "tools",
)  # fmt: skip


class Catalogue:
    """Item i is in category i mod n_categories; its rank there, i div n_categories, says how popular it is."""

    def __init__(self, config: ShopConfig, rng: np.random.Generator) -> None:
        n = config.n_items
        self.n_categories = config.n_categories
        self.categories = [_category_name(i) for i in range(config.n_categories)]
        self.item_ids = [f"item-{i:05d}" for i in range(n)]
        self.prices = np.round(np.exp(rng.normal(3.0, 1.0, n)) + 0.5, 2)
        self.brands = [
            f"{self.categories[i % self.n_categories]}-brand-{b}"
            for i, b in enumerate(rng.integers(0, BRANDS_PER_CATEGORY, n))
        ]
        self.appears_at_seconds = self._launches(config, rng)
        self._popularity = [_zipf(len(range(c, n, self.n_categories))) for c in range(self.n_categories)]

    @cached_property
    def item_categories(self) -> dict[str, str]:
        return {item: self.categories[i % self.n_categories] for i, item in enumerate(self.item_ids)}

    @property
    def consumable_categories(self) -> Ints:
        return np.arange(0, self.n_categories, CONSUMABLE_EVERY)

    def draw(self, categories: Ints, at_seconds: Floats, rng: np.random.Generator) -> Ints:
        """One item of each category, by popularity, among those that have appeared by then."""
        items = self._draw(categories, rng)
        for _ in range(REDRAWS):
            too_early = np.flatnonzero(self.appears_at_seconds[items] > at_seconds)
            items[too_early] = self._draw(categories[too_early], rng)
        return np.where(
            self.appears_at_seconds[items] > at_seconds, categories, items
        )  # the first ones are always there

    def _draw(self, categories: Ints, rng: np.random.Generator) -> Ints:
        uniform = rng.random(len(categories))
        ranks = np.zeros(len(categories), dtype=np.int64)
        for category, cumulative in enumerate(self._popularity):
            here = categories == category
            ranks[here] = np.searchsorted(cumulative, uniform[here])
        return ranks * self.n_categories + categories

    def _launches(self, config: ShopConfig, rng: np.random.Generator) -> Floats:
        at = np.zeros(config.n_items)
        is_new = rng.random(config.n_items) < config.new_item_share
        is_new[: config.n_categories] = False
        at[is_new] = rng.uniform(0.05, 0.9, int(is_new.sum())) * config.duration_seconds
        return at


def _zipf(n: int) -> Floats:
    weights = 1.0 / np.arange(1, n + 1) ** POPULARITY_EXPONENT
    cumulative: Floats = np.cumsum(weights / weights.sum())
    cumulative[-1] = 1.0
    return cumulative


def _category_name(index: int) -> str:
    name = CATEGORY_NAMES[index % len(CATEGORY_NAMES)]
    return name if index < len(CATEGORY_NAMES) else f"{name}-{index // len(CATEGORY_NAMES) + 1}"
