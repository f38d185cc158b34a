"""What users bought, or have in the cart, read from their profiles: lists for everybody must not bring it back."""

from collections.abc import Callable, Sequence
from functools import lru_cache

from pipelines.catalogue.arrays import text_hash
from pipelines.errors import ProfileFormatError
from pipelines.features.profile import key_code
from pipelines.features.profile_bytes import decode
from pipelines.list_sections import RulesConfig
from pipelines.schemas import INTERACTION_CODES
from pipelines.serving.recent import Recent

_PURCHASE, _ADD = INTERACTION_CODES["purchase"], INTERACTION_CODES["add_to_cart"]
_REMOVE = INTERACTION_CODES["remove_from_cart"]
Hashes = frozenset[int]
NOTHING: Hashes = frozenset()


class Bought:
    """Remembers what it read of the last users: mostly a profile is the same when its user comes again."""

    def __init__(self, rules: RulesConfig, n_remembered: int) -> None:
        self._rules = rules
        self._known: Recent[str, tuple[int, Hashes]] = Recent(n_remembered)

    @property
    def is_asked_for(self) -> bool:
        """Whether the rules keep anything from users."""
        return self._rules.exclude_purchased or self._rules.exclude_in_cart

    def learn(self, users: Sequence[str], profiles: Sequence[bytes | None]) -> dict[str, Hashes]:
        """Hashes of the items that the rules keep from each user."""
        told = list(zip(users, profiles, strict=True))
        known = {user: kept for user, profile in told if (kept := self._known_of(user, profile)) is not None}
        unknown = [(user, profile) for user, profile in told if user not in known]
        kept_of_each = kept_items([profile for _, profile in unknown], self._rules)
        for (user, profile), kept in zip(unknown, kept_of_each, strict=True):
            self._known.put(user, (hash(profile), kept))
            known[user] = kept
        return known

    def known(self, users: Sequence[str]) -> dict[str, Hashes]:
        """The same, as it was when it was last read."""
        return {user: (self._known.get(user) or (0, NOTHING))[1] for user in users}

    def _known_of(self, user: str, profile: bytes | None) -> Hashes | None:
        known = self._known.get(user)
        return known[1] if known is not None and known[0] == hash(profile) else None


def kept_items(profiles: Sequence[bytes | None], rules: RulesConfig) -> list[Hashes]:
    """What the rules keep from the user of each profile. Of one that cannot be read: nothing."""
    try:
        read = decode(profiles)
    except ProfileFormatError:
        if len(profiles) == 1:
            return [NOTHING]
        return [kept_items([profile], rules)[0] for profile in profiles]
    bought: list[set[int]] = [set() for _ in profiles]
    cart: list[set[int]] = [set() for _ in profiles]
    for user, code, item in zip(read.owner.tolist(), key_code(read.key).tolist(), read.item.tolist(), strict=True):
        if code == _ADD:  # entries of a user come oldest first
            cart[user].add(item)
        elif code in (_REMOVE, _PURCHASE):
            cart[user].discard(item)
        if code == _PURCHASE:
            bought[user].add(item)
    for user, item in zip(read.bought_owner.tolist(), read.bought_item.tolist(), strict=True):
        bought[user].add(item)
    if not rules.exclude_purchased:
        bought = [set() for _ in profiles]
    if not rules.exclude_in_cart:
        cart = [set() for _ in profiles]
    return [frozenset(one | other) for one, other in zip(bought, cart, strict=True)]


def is_one_of(hashes: Hashes) -> Callable[[str], bool]:
    """Whether an item is one of them."""
    return lambda item_id: _hash_of(item_id) in hashes


_hash_of = lru_cache(maxsize=100_000)(text_hash)
