"""A shop with planted taste: each group of users likes its own few items, and none is more popular than another."""

import numpy as np
import pyarrow as pa

from pipelines.features.profile import entry_keys
from pipelines.schemas import INTERACTION_CODES

START_S = 1_700_000_000
N_GROUPS, ITEMS_PER_GROUP = 6, 4
FIELDS = 2  # of the context


def a_log(n_events=1_500, n_users=60, seed=3, seconds=20):
    """(user, item, epoch second, event type), by time; user and item are numbers, the group is user % N_GROUPS."""
    rng = np.random.default_rng(seed)
    user = rng.integers(n_users, size=n_events)
    liked = rng.random(n_events) < 0.9
    own = user % N_GROUPS * ITEMS_PER_GROUP + rng.integers(ITEMS_PER_GROUP, size=n_events)
    item = np.where(liked, own, rng.integers(N_GROUPS * ITEMS_PER_GROUP, size=n_events))
    time_s = START_S + np.sort(rng.integers(n_events * seconds, size=n_events))
    kind = rng.choice(["product_view", "click", "add_to_cart", "remove_from_cart", "purchase"], n_events)
    return list(zip(user.tolist(), item.tolist(), time_s.tolist(), kind.tolist(), strict=True))


def slice_rows(log, n_history=0):
    """The log as a task gets it: by user and time; the first `n_history` rows are history."""
    user, item, time_s, kind = (np.array(column) for column in zip(*log, strict=True))
    codes = np.array([INTERACTION_CODES[name] for name in kind.tolist()])
    key = entry_keys(time_s, np.arange(len(log), dtype=np.uint64), codes)
    order = np.lexsort((key, user))
    columns = {
        "slice": np.zeros(len(log), np.int64), "learn": np.arange(len(log)) >= n_history,
        "user_hash": user.astype(np.int64), "key": key.view(np.int64), "item": np.array([f"i{n}" for n in item], object),
        "item_hash": item.astype(np.int64) + 1, "time_s": time_s, "category_hash": item.astype(np.int64) % N_GROUPS + 1,
        "brand_hash": np.zeros(len(log), np.int64),
    }  # fmt: skip
    columns |= {f"context_hash_{n}": (user + n).astype(np.int64) for n in range(FIELDS)}
    return pa.table({name: column[order] for name, column in columns.items()})
