"""What a user bought, or has in the cart, read from the profile: lists for everybody must not bring it back."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from pipelines.catalogue.arrays import text_hash
from pipelines.errors import ProfileFormatError
from pipelines.features.profile import Ints, Words, decode, key_code
from pipelines.list_sections import RulesConfig
from pipelines.schemas import INTERACTION_CODES

_PURCHASE, _ADD = INTERACTION_CODES["purchase"], INTERACTION_CODES["add_to_cart"]
_CART = [_ADD, INTERACTION_CODES["remove_from_cart"], _PURCHASE]


def bought_items(profile: bytes | None, rules: RulesConfig) -> frozenset[int]:
    """Hashes of the items that the rules keep from the user. Of a profile that cannot be read: none."""
    if profile is None or not (rules.exclude_purchased or rules.exclude_in_cart):
        return frozenset()
    try:
        read = decode([profile])
    except ProfileFormatError:
        return frozenset()
    code, kept = key_code(read.key), []
    if rules.exclude_purchased:
        kept += [read.item[code == _PURCHASE], read.bought_item]
    if rules.exclude_in_cart:
        kept.append(_in_cart(code, read.item))
    return frozenset(np.concatenate(kept).tolist())


def is_one_of(hashes: frozenset[int]) -> Callable[[str], bool]:
    """Whether an item is one of them."""
    return lambda item_id: _hash_of(item_id) in hashes


def _in_cart(code: Ints, item: Words) -> Words:
    """Items that were put into the cart, and neither taken out nor bought since. Entries come oldest first."""
    of_cart = np.flatnonzero(np.isin(code, _CART))[::-1]
    _, newest = np.unique(item[of_cart], return_index=True)
    newest = of_cart[newest]
    in_cart: Words = item[newest[code[newest] == _ADD]]
    return in_cart


_hash_of = lru_cache(maxsize=100_000)(text_hash)
