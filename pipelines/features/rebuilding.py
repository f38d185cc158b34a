"""A profile made anew from all that is filed of a user, joined with what the live one has seen since.

Ring and tail of the live profile know what came last, so a rebuild needs no pause: an interaction that is in both is one,
and one that is only in the live profile came after what was read of `events`. What visitors gave is among what is filed of
a user (features/gathering.py). A profile keeps its link.
"""

from dataclasses import dataclass, replace

import numpy as np

from pipelines.errors import ProfileFormatError
from pipelines.features.bought import bought_by_either
from pipelines.features.fold import Interactions, fold
from pipelines.features.online import OnlineSums
from pipelines.features.profile import Flags, Ints, Profiles, Words, key_time_s
from pipelines.features.profile_bytes import decode
from pipelines.sections import ProfileConfig

_FILED, _LIVE, _OF_VISITORS = 1, 2, 3  # sources within one rebuild; the true marks are put in afterwards
TOLERANCE = 1e-9


@dataclass(frozen=True)
class FiledInteractions:
    """n interactions of U users, as `events` has them, in any order."""

    user: Ints  # (n,) index of the user
    key: Words  # (n,) see profile.entry_keys
    item: Words  # (n,) item hash
    source: Words  # (n,) partition and topic tag; 0: of a topic that is not read any more
    offset: Ints  # (n,)
    is_named: Flags  # (n,) whether the user was told as a `user_id`
    is_gift: Flags  # (n,) whether it is of a visitor who turned out to be the user

    @classmethod
    def none(cls) -> "FiledInteractions":
        """Nothing is filed."""
        words, none = np.empty(0, np.uint64), np.empty(0, np.int64)
        return cls(none, words, words, words, none, none.astype(np.bool_), none.astype(np.bool_))

    def only(self, rows: Flags) -> "FiledInteractions":
        """The rows alone that are marked."""
        return FiledInteractions(**{name: of[rows] for name, of in vars(self).items()})


def rebuilt(
    filed: FiledInteractions,
    live: Profiles,
    config: ProfileConfig,
    online: OnlineSums,
    gathered: Interactions | None = None,
) -> Profiles:
    """Profiles of the U users of `live` by the definitions of `online`, one generation on.

    The live profile may have other definitions: its sums are not read. What it alone knows and is older than its own ring
    and tail (because `events` no longer has it) cannot be rebuilt.

    gathered: what the live profiles of a user's visitors know one by one; by user and key.
    """
    users = len(live.length)
    filed = filed.only(~_to_be_handed_over(filed, live))
    order = np.lexsort((filed.key, filed.user))
    everything = Interactions(filed.user[order], filed.key[order], filed.item[order], np.arange(len(order)), _FILED)
    whole = fold(decode([None] * users), everything, config, online).profiles
    whole = fold(whole, _seen_live(live), config, online).profiles
    if gathered is not None:
        whole = fold(whole, gathered, config, online).profiles
    bought = bought_by_either(whole, live, config.kept_purchases)
    is_given = np.bincount(filed.user[filed.is_gift], minlength=users) > 0
    return replace(
        whole,
        bought_length=bought[0],
        bought_key=bought[1],
        bought_item=bought[2],
        progress=live.progress,
        features_version=np.full(users, online.version, np.int64),
        generation=live.generation + 1,
        is_named=live.is_named | is_given | (np.bincount(filed.user[filed.is_named], minlength=users) > 0),
        is_joined=live.is_joined | is_given,
        links=live.links,
        marks=_joined_marks(filed, live),
        fresh=np.zeros_like(whole.fresh),
    )


def has_link(profiles: Profiles) -> Flags:
    """(U,) whether a visitor logged in."""
    linked = np.zeros(len(profiles.length), np.bool_)
    linked[list(profiles.links)] = True
    return linked


def knows_more(live: Profiles, made: Profiles) -> Flags:
    """(U,) users whose live profile has more of their visitors than is filed so far: to be left alone.

    A login that came while the profiles are rebuilt is not in what was read. But sums of other definitions are of no use.
    """
    more: Flags = live.is_joined & (live.n_interactions > made.n_interactions)
    more &= live.features_version == made.features_version
    return more


def _to_be_handed_over(filed: FiledInteractions, live: Profiles) -> Flags:
    """(n,) what the hot path has not folded yet into linked profiles: it goes to their users in the same step."""
    if not live.links:
        return np.zeros(len(filed.user), np.bool_)
    marks = live.marks[filed.user]
    reached = np.where(marks[:, :, 0] == filed.source[:, None], marks[:, :, 1], np.uint64(0)).max(axis=1)
    ahead: Flags = (filed.source != 0) & (filed.offset.astype(np.uint64) >= reached)
    ahead &= has_link(live)[filed.user] & (reached > 0)  # else it is a link that a rebuild made
    return ahead


def is_same(made: Profiles, live: Profiles) -> Flags:
    """(U,) whether a rebuilt profile says what the live one says, up to the rounding of sums."""
    users = len(live.length)
    same = live.is_known & (live.features_version == made.features_version)
    for name in ("n_interactions", "as_of_s", "length", "tail_length", "horizon", "bought_length"):
        same &= getattr(made, name) == getattr(live, name)
    same &= (made.marks == live.marks).reshape(users, -1).all(axis=1) & (made.is_named == live.is_named)
    for name, owner in (
        ("key", "owner"),
        ("item", "owner"),
        ("tail", "tail_owner"),
        ("bought_key", "bought_owner"),
        ("bought_item", "bought_owner"),
    ):
        same &= _same_entries(made, live, name, owner, same)
    if made.sums.shape != live.sums.shape:
        return np.zeros(users, np.bool_)
    close = np.isclose(made.sums, live.sums, rtol=TOLERANCE, atol=TOLERANCE).all(axis=1)
    agrees: Flags = same & close
    return agrees


def decode_readable(values: list[bytes | None]) -> Profiles:
    """Read profiles; one that this version cannot read counts as absent: a rebuild is its remedy."""
    try:
        return decode(values)
    except ProfileFormatError:
        return decode([value if _is_readable(value) else None for value in values])


def _is_readable(value: bytes | None) -> bool:
    try:
        decode([value])
    except ProfileFormatError:
        return False
    return True


def seen_of_visitors(visitors: Profiles, user: Ints, since_s: Ints) -> Interactions:
    """What the live profiles of V visitors know one by one since the second `since_s` (V,), as that of `user` (V,)."""
    seen = _seen_live(visitors)
    kept = key_time_s(seen.key) >= since_s[seen.user]
    owner, key, item = user[seen.user[kept]], seen.key[kept], seen.item[kept]
    order = np.lexsort((key, owner))
    return Interactions(owner[order], key[order], item[order], np.arange(len(order)), _OF_VISITORS)


def _seen_live(live: Profiles) -> Interactions:
    """Ring and tail of the live profiles as interactions; a tail key's item is not known, and never needed again."""
    user = np.concatenate([live.owner, live.tail_owner])
    key = np.concatenate([live.key, live.tail])
    item = np.concatenate([live.item, np.zeros_like(live.tail)])
    order = np.lexsort((key, user))
    return Interactions(user[order], key[order], item[order], np.arange(len(order)), _LIVE)


def _joined_marks(filed: FiledInteractions, live: Profiles) -> Words:
    """(U, 2, 2) how far each source is in, of what is filed or of the live profile; its newest source stays the first."""
    known = filed.source != 0
    order = np.lexsort((filed.offset[known], filed.source[known], filed.user[known]))
    user, source = filed.user[known][order], filed.source[known][order]
    after = (filed.offset[known][order] + 1).astype(np.uint64)
    last = np.ones(len(user), np.bool_)
    last[:-1] = (user[1:] != user[:-1]) | (source[1:] != source[:-1])
    marks = live.marks.copy()
    for at, its_source, reached in zip(user[last].tolist(), source[last], after[last], strict=True):
        _raise_mark(marks[at], its_source, reached)
    return marks


def _raise_mark(marks: Words, source: np.uint64, reached: np.uint64) -> None:
    """Let (2, 2) `marks` say that `source` is in up to `reached`: where it is known, else in a free slot."""
    for slot in marks:
        if slot[1] == 0 or slot[0] == source:
            slot[:] = source, max(slot[1], reached)
            return


def _same_entries(made: Profiles, live: Profiles, name: str, owner: str, candidates: Flags) -> Flags:
    """(U,) whether the flat entries `name` of each of the `candidates`, who have as many in both, are equal."""
    equal = np.ones(len(candidates), np.bool_)
    ours, theirs = candidates[getattr(made, owner)], candidates[getattr(live, owner)]
    different = getattr(made, name)[ours] != getattr(live, name)[theirs]
    equal[getattr(made, owner)[ours][different]] = False
    return equal
