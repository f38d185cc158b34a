"""The people: who they are, what they like, how often they come, what they buy again."""

import numpy as np

from pipelines.local.shop.catalogue import Catalogue, Floats, Ints
from pipelines.local.shop.config import ShopConfig

TASTE_SHARES = (
    0.60,
    0.22,
    0.10,
)  # of a person's interest, in the first, second and third favourite category; the rest is any
N_STAPLES = 2  # consumables that a person buys again
LOCATIONS = ("DE", "FR", "GB", "NL", "PL", "SE", "US")


class People:
    """Person p is known (`user_id`) if below `n_known`, else a visitor (`anonymous_id`)."""

    def __init__(self, config: ShopConfig, catalogue: Catalogue, rng: np.random.Generator) -> None:
        n = config.n_users
        self.n_known = n - round(n * config.visitor_share)
        self.names = [f"user-{p:05d}" if p < self.n_known else f"visitor-{p:05d}" for p in range(n)]
        self.keys = [name.encode() for name in self.names]
        self.locations = [LOCATIONS[i] for i in rng.integers(0, len(LOCATIONS), n)]
        self.tastes = self._draw_tastes(n, catalogue.n_categories, rng)
        self.staples = self._draw_staples(n, catalogue, rng)
        self._activity = np.cumsum(rng.lognormal(0.0, 1.0, n))

    def draw(self, n: int, rng: np.random.Generator) -> Ints:
        """`n` people who come now; the active ones come more often."""
        people: Ints = np.searchsorted(self._activity, rng.random(n) * self._activity[-1]).astype(np.int64)
        return people

    def draw_categories(self, people: Ints, n_categories: int, rng: np.random.Generator) -> Ints:
        """Draw what each of `people` looks for now."""
        bounds = np.cumsum(TASTE_SHARES[: self.tastes.shape[1]])
        favourite = np.searchsorted(bounds, rng.random(len(people)))
        anything = rng.integers(0, n_categories, len(people))
        with_any = np.concatenate([self.tastes[people], anything[:, None]], axis=1)
        chosen: Ints = with_any[np.arange(len(people)), favourite]
        return chosen

    @staticmethod
    def _draw_tastes(n: int, n_categories: int, rng: np.random.Generator) -> Ints:
        """Different categories for each, the first favourite first."""
        weights: Floats = rng.random((n, n_categories))
        return np.argsort(weights, axis=1)[:, : len(TASTE_SHARES)]

    @staticmethod
    def _draw_staples(n: int, catalogue: Catalogue, rng: np.random.Generator) -> Ints:
        categories = rng.choice(catalogue.consumable_categories, n * N_STAPLES)
        from_the_start = np.zeros(n * N_STAPLES)
        return catalogue.draw(categories, from_the_start, rng).reshape(n, N_STAPLES)
