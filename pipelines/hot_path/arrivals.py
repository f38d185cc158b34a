"""The rows of a micro-batch as the stage works on them: arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.features.fold import Interactions
from pipelines.features.interactions import BRAND, CATEGORY, IMPRESSION_CODE, context_hashes
from pipelines.features.joining import identify_key
from pipelines.features.profile import Flags, Ints, Words, entry_keys, key_time_s
from pipelines.features.shown import Moments
from pipelines.models.ranker import ItemFacts, last_told


@dataclass(frozen=True)
class Login:
    """An event that says: this visitor is that user."""

    visitor: str
    user: str
    key: int  # see features/joining.py
    offset: int


@dataclass(frozen=True)
class Arrivals:
    """The rows of one partition in a micro-batch, in arrival order."""

    users: list[str]  # distinct
    is_named: Flags  # (U,) whether an event told the user's id as a `user_id`
    batch: Interactions
    item_id: pa.Array  # (n,)
    category: Words  # (n,) hash; 0 where the event does not say
    brand: Words  # (n,)
    context: Words  # (n, F)
    ingest_ms: Ints  # (n,)
    partition: int
    logins: tuple[Login, ...] = ()
    impressions: Moments | None = None  # of `viewers`, by index; None: none came
    viewers: tuple[str, ...] = ()  # `users`, then who else was shown something

    @property
    def touches(self) -> Moments:
        """When users did something with items."""
        return Moments(self.batch.user, self.batch.item, key_time_s(self.batch.key))

    @property
    def facts(self) -> ItemFacts:
        """What the events say of their items; where they differ, the last one holds."""
        distinct, first, place = np.unique(self.batch.item, return_index=True, return_inverse=True)
        names = np.array(self.item_id.take(pa.array(first)).to_pylist(), dtype=object)
        told = [last_told(place, values, len(distinct)) for values in (self.category, self.brand)]
        return ItemFacts(distinct, names, *told)

    def context_at(self, arrival: Ints) -> Words:
        """(M, F) the context of arrivals by index; 0 where the index is −1."""
        context = self.context[np.maximum(arrival, 0)]
        context[arrival < 0] = 0
        return context

    def newest_context(self, n_users: int) -> Words:
        """(U, F) the context of each user's last event."""
        context = np.zeros((n_users, self.context.shape[1]), np.uint64)
        context[self.batch.user] = self.context
        return context


def read_arrivals(rows: pa.Table, topic_tag: int, partition: int) -> Arrivals:
    """Take the columns of `to_arrivals`, with `learned_columns`, as arrays."""
    logins: tuple[Login, ...] = ()
    if rows["visitor"].null_count < len(rows):
        is_login = pc.is_valid(rows["visitor"])
        logins, rows = _read_logins(rows.filter(is_login)), rows.filter(pc.invert(is_login))
    rows, shown = _without_impressions(rows)
    user = rows["user"].combine_chunks().dictionary_encode()
    index = user.indices.to_numpy().astype(np.int64)
    is_named = np.zeros(len(user.dictionary), np.bool_)
    is_named[index[rows["is_named"].to_numpy()]] = True
    column = {
        name: rows[name].to_numpy() for name in ("item_hash", "event_hash", "code", "time_s", "ingest_ms", "offset")
    }
    users = user.dictionary.to_pylist()
    viewers, impressions = _read_impressions(users, shown)
    return Arrivals(
        users=users,
        is_named=is_named,
        batch=Interactions(
            user=index,
            key=entry_keys(column["time_s"], column["event_hash"].view(np.uint64), column["code"]),
            item=column["item_hash"].view(np.uint64),
            offset=column["offset"],
            source=(partition << 32) | topic_tag,
        ),
        item_id=rows["item"].combine_chunks(),
        category=rows[CATEGORY].to_numpy().view(np.uint64),
        brand=rows[BRAND].to_numpy().view(np.uint64),
        context=context_hashes(rows),
        ingest_ms=column["ingest_ms"],
        partition=partition,
        logins=logins,
        impressions=impressions,
        viewers=viewers,
    )


def _without_impressions(rows: pa.Table) -> tuple[pa.Table, pa.Table | None]:
    is_impression = pc.equal(rows["code"], IMPRESSION_CODE)
    if not pc.any(is_impression).as_py():
        return rows, None
    return rows.filter(pc.invert(is_impression)), rows.filter(is_impression)


def _read_impressions(users: list[str], rows: pa.Table | None) -> tuple[tuple[str, ...], Moments | None]:
    if rows is None:
        return tuple(users), None
    user = rows["user"].to_pylist()
    place = {name: i for i, name in enumerate(dict.fromkeys([*users, *user]))}
    index = np.fromiter((place[name] for name in user), np.int64, len(user))
    return tuple(place), Moments(index, rows["item_hash"].to_numpy().view(np.uint64), rows["time_s"].to_numpy())


def _read_logins(rows: pa.Table) -> tuple[Login, ...]:
    columns = (rows[name].to_pylist() for name in ("visitor", "user", "time_s", "event_hash", "offset"))
    return tuple(
        Login(visitor, user, identify_key(time_s, event_hash), offset)
        for visitor, user, time_s, event_hash, offset in zip(*columns, strict=True)
    )


def of_users(arrivals: Arrivals, users: Sequence[str]) -> Arrivals:
    """The interactions of `users` alone, some of the users in `arrivals`."""
    chosen = set(users)
    kept = np.array([user in chosen for user in arrivals.users], np.bool_)
    rows = kept[arrivals.batch.user]
    index = np.cumsum(kept) - 1
    batch = arrivals.batch
    return Arrivals(
        users=[user for user in arrivals.users if user in chosen],
        is_named=arrivals.is_named[kept],
        batch=Interactions(
            index[batch.user[rows]], batch.key[rows], batch.item[rows], batch.offset[rows], batch.source
        ),
        item_id=arrivals.item_id.filter(pa.array(rows)),
        category=arrivals.category[rows],
        brand=arrivals.brand[rows],
        context=arrivals.context[rows],
        ingest_ms=arrivals.ingest_ms[rows],
        partition=arrivals.partition,
        viewers=tuple(user for user in arrivals.users if user in chosen),
    )
