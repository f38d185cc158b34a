"""What may be shown to whom: for everybody by place, and for each user by pairs and by price."""

from dataclasses import dataclass

import numpy as np

from pipelines.features.profile import Flags, Floats, Ints


@dataclass(frozen=True)
class Excluded:
    """Items that are not for a user, by the rule that says so: flat pairs of user and place."""

    n_places: int
    code: Ints  # user · n_places + place, ascending

    @classmethod
    def of(cls, n_places: int, *pairs: tuple[Ints, Ints]) -> "Excluded":
        """The pairs (user, place) of all parts together."""
        codes = [user * n_places + place for user, place in pairs]
        return cls(n_places, np.unique(np.concatenate([np.empty(0, np.int64), *codes])))

    def only(self, users: Ints) -> "Excluded":
        """Of some of the users (ascending), who are numbered from 0 again."""
        user, place = self.pairs()
        row = np.searchsorted(users, user)
        kept = np.isin(user, users)
        return Excluded(self.n_places, row[kept] * self.n_places + place[kept])

    def has(self, place: Ints) -> Flags:
        """(U, C) whether each of a user's places is excluded; a place of −1 never is."""
        wanted = np.arange(len(place))[:, None] * self.n_places + place
        if not len(self.code):
            return np.zeros(place.shape, np.bool_)
        found = self.code[np.minimum(np.searchsorted(self.code, wanted), len(self.code) - 1)] == wanted
        has: Flags = found & (place >= 0)
        return has

    def before(self, n_places: int) -> "Excluded":
        """Those of the first so many places."""
        user, place = self.pairs()
        return Excluded.of(n_places, (user[place < n_places], place[place < n_places]))

    def pairs(self) -> tuple[Ints, Ints]:
        """User, ascending, and place."""
        user, place = np.divmod(self.code, max(self.n_places, 1))
        return user, place

    def most_of_a_user(self) -> int:
        """How many the user with the most has."""
        return int(np.bincount(self.code // max(self.n_places, 1)).max(initial=0))


@dataclass(frozen=True)
class Sieve:
    """What keeps an item from a user, and from all."""

    is_barred: Flags  # (P,)
    excluded: Excluded
    price: Floats  # (P,)
    median: Floats | None  # (U,) that each user's prices are measured by; None: there is no band
    band: float = np.inf

    def passes(self, place: Ints) -> Flags:
        """(U, C) whether each of a user's places (−1: none) may be shown."""
        may = (place >= 0) & ~self.is_barred[place] & ~self.excluded.has(place)
        if self.median is not None:
            may &= ~is_out_of_band(self.price[place], self.median, self.band)
        return may

    def only(self, users: Ints) -> "Sieve":
        """Of some of the users (ascending), who are numbered from 0 again."""
        median = None if self.median is None else self.median[users]
        return Sieve(self.is_barred, self.excluded.only(users), self.price, median, self.band)


def is_out_of_band(price: Floats, median: Floats, band: float) -> Flags:
    """(U, C) whether prices (U, C) are outside of 1/band and band times each user's median; not known is not outside."""
    return (price < median[:, None] / band) | (price > median[:, None] * band)
