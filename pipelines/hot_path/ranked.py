"""The lists of users, from their profiles, the model and the rules."""

import time
import zlib
from collections.abc import Iterator

import numpy as np

from pipelines.features.profile import Flags, Ints, Profiles, Words
from pipelines.features.shown import Shown
from pipelines.hot_path.shop import Shop
from pipelines.hot_path.worker import StageSettings
from pipelines.lists.assortment import Assortment
from pipelines.lists.document import PublishedList
from pipelines.lists.filters import Doings
from pipelines.lists.making import REASONS, Asked, ListMaker, MadeLists
from pipelines.models.ranker import Histories, Ranker

BLOCK_USERS = 1_024  # ranked together


def ranked_lists(
    settings: StageSettings,
    model_version: str,
    ranker: Ranker,
    profiles: Profiles,
    due: Flags,
    context: Words,
    list_ids: list[str] | None = None,
    shop: Shop | None = None,
    shown: Shown | None = None,
) -> Iterator[tuple[int, bytes]]:
    """(Index of the user, document) of each due user; nothing while there is no item to rank.

    due: (U,), U users as in `profiles`; context: (U, F), 0 where it is not known; list_ids: of all U, where the newest mark
    in a profile does not name what made it due; shop: the worker's; without it, no catalogue is known; shown: to all U and maybe
    others behind them; without it, no item counts as shown too often.
    """
    if not ranker.n_items:
        return
    shop, everyone = shop or Shop(settings.lists, settings.category_separator), np.flatnonzero(due)
    for start in range(0, len(everyone), BLOCK_USERS):
        users = everyone[start : start + BLOCK_USERS]
        now_ms = time.time_ns() // 1_000_000
        ids = [list_ids[user] for user in users.tolist()] if list_ids else event_ids(settings, profiles, users)
        maker = shop.list_maker(ranker, now_ms / 1_000)
        made = maker.make(asked_of(maker, profiles, users, context, ids, shown, now_ms / 1_000))
        yield from zip(users.tolist(), _documents(maker, made, now_ms, model_version, ids), strict=True)


def event_ids(settings: StageSettings, profiles: Profiles, users: Ints) -> list[str]:
    """Named after the event that made the list due, or a later one: topic, partition, offset."""
    newest = profiles.marks[users, 0].astype(np.int64)
    places = zip((newest[:, 0] >> 32).tolist(), (newest[:, 1] - 1).tolist(), strict=True)
    return [f"{settings.topic_tag:x}-{partition}-{offset}" for partition, offset in places]


def asked_of(
    maker: ListMaker,
    profiles: Profiles,
    users: Ints,
    context: Words,
    list_ids: list[str],
    shown: Shown | None,
    now_s: float,
) -> Asked:
    """What a list maker needs to know of `users` (indices): arguments as of `ranked_lists`."""
    histories = _histories(profiles, users, context)
    seeds = np.array([zlib.crc32(list_id.encode()) for list_id in list_ids], np.uint64)
    shown = Shown.none(len(profiles.length)) if shown is None else shown
    return Asked(histories, _doings(maker.shop.assortment, histories, profiles, users, shown), seeds, now_s)


def _documents(
    maker: ListMaker, made: MadeLists, now_ms: int, model_version: str, list_ids: list[str]
) -> Iterator[bytes]:
    n = maker.config.n
    names, scores = maker.shop.assortment.item_id[made.place], made.score.tolist()
    of_list, in_all = (made.place[:, :n] >= 0).sum(axis=1).tolist(), (made.place[:, n:] >= 0).sum(axis=1).tolist()
    reasons = _reasons(made, n)
    for row, (items, n_items, n_spare, list_id) in enumerate(
        zip(names.tolist(), of_list, in_all, list_ids, strict=True)
    ):
        yield PublishedList(
            items[:n_items],
            scores[row][:n_items],
            now_ms,
            model_version,
            "personal",
            list_id,
            items[n : n + n_spare],
            reasons.get(row, {}),
        ).to_json()


def _reasons(made: MadeLists, n: int) -> dict[int, dict[str, list[int]]]:
    """By row: the places of what is there for another reason than the model's."""
    reasons: dict[int, dict[str, list[int]]] = {}
    for row, place in np.argwhere(made.reason[:, :n] > 0).tolist():
        reasons.setdefault(row, {}).setdefault(REASONS[made.reason[row, place]], []).append(place)
    return reasons


def _histories(profiles: Profiles, users: Ints, context: Words) -> Histories:
    owner, own = _of_users(users, len(profiles.length), profiles.length)
    return Histories(len(users), owner, profiles.key[own], profiles.item[own], profiles.as_of_s[users], context[users])


def _doings(assortment: Assortment, histories: Histories, profiles: Profiles, users: Ints, shown: Shown) -> Doings:
    """What the profiles say of items that are in the assortment."""
    place = assortment.find(histories.item)
    known = place >= 0
    did = (histories.user[known], place[known], histories.key[known])
    buyer, bought = _of_users(users, len(profiles.length), profiles.bought_length)
    bought_place = assortment.find(profiles.bought_item[bought])
    met = bought_place >= 0
    viewer, seen = _of_users(users, len(shown.length), shown.length)
    seen_place = assortment.find_low_bits(shown.item[seen])
    here = seen_place >= 0
    were_shown = (viewer[here], seen_place[here], shown.count[seen][here], shown.last_s[seen][here])
    return Doings(len(users), *did, buyer[met], bought_place[met], *were_shown)


def _of_users(users: Ints, n_users: int, length: Ints) -> tuple[Ints, Flags]:
    """Of what lies flat, user by user: which of `users` each kept row is of, and which rows are kept."""
    row = np.full(n_users, -1, np.int64)
    row[users] = np.arange(len(users))
    owner = np.repeat(row, length)
    own = owner >= 0
    return owner[own], own
