"""The lists of users, from their profiles and the model."""

import time
from collections.abc import Iterator

import numpy as np

from pipelines.features.profile import Flags, Ints, Profiles, Words
from pipelines.hot_path.worker import StageSettings
from pipelines.lists.document import PublishedList
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
) -> Iterator[tuple[int, bytes]]:
    """(Index of the user, document) of each due user; nothing while there is no item to rank.

    due: (U,), U users as in `profiles`; context: (U, F), 0 where it is not known; list_ids: of all U, where the newest mark
    in a profile does not name what made it due.
    """
    everyone = np.flatnonzero(due)
    for start in range(0, len(everyone) if ranker.n_items else 0, BLOCK_USERS):
        users = everyone[start : start + BLOCK_USERS]
        columns, scores = ranker.best(_histories(profiles, users, context), settings.lists.n)
        best, names = scores.tolist(), ranker.item_ids[columns].tolist()
        now_ms = time.time_ns() // 1_000_000
        ids = [list_ids[user] for user in users.tolist()] if list_ids else event_ids(settings, profiles, users)
        for user, items, item_scores, list_id in zip(users.tolist(), names, best, ids, strict=True):
            yield user, PublishedList(items, item_scores, now_ms, model_version, "personal", list_id).to_json()


def event_ids(settings: StageSettings, profiles: Profiles, users: Ints) -> list[str]:
    """Named after the event that made the list due, or a later one: topic, partition, offset."""
    newest = profiles.marks[users, 0].astype(np.int64)
    places = zip((newest[:, 0] >> 32).tolist(), (newest[:, 1] - 1).tolist(), strict=True)
    return [f"{settings.topic_tag:x}-{partition}-{offset}" for partition, offset in places]


def _histories(profiles: Profiles, users: Ints, context: Words) -> Histories:
    row = np.full(len(profiles.length), -1, np.int64)
    row[users] = np.arange(len(users))
    owner = row[profiles.owner]
    own = owner >= 0
    return Histories(
        len(users), owner[own], profiles.key[own], profiles.item[own], profiles.as_of_s[users], context[users]
    )
