"""The catalogue in Redis, as loads and people write it. Format: docs/redis.md. Readers follow it: catalogue_copy.py.

A change and its place in the stream of changes are one step, so a reader who knows of a version can have all of it; and a read
that begins after a write returned gets that write's version.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from itertools import islice
from typing import TypeVar

import orjson
from redis import Redis

from pipelines.catalogue.document import from_document, gone_document, to_document
from pipelines.catalogue.item import CatalogueItem
from pipelines.stores.keys import (
    CATALOGUE_CHANGES,
    CATALOGUE_HELD,
    CATALOGUE_ITEMS,
    CATALOGUE_UNAVAILABLE,
    CATALOGUE_VERSION,
)

# Long, and renewed by every write: when the catalogue expired, what is hidden or sold out would be shown again.
TTL_SECONDS = 400 * 24 * 3600
CHUNK = 200  # items in one step: it blocks the server for about a millisecond
CHUNKS_AT_ONCE = 25
KEPT_CHANGES = 2_000  # steps that readers can follow, about
T = TypeVar("T")

_KEYS = (CATALOGUE_ITEMS, CATALOGUE_HELD, CATALOGUE_UNAVAILABLE, CATALOGUE_CHANGES, CATALOGUE_VERSION)

# What both scripts need: the ids that changed become one entry of the stream, whose id is the version. ARGV: ttl, kept, ….
_PUBLISH = """
local changed = {}
local function tell(id, document)
  local is_available = redis.call('HEXISTS', KEYS[2], id) == 0
    and not string.find(document, '^{"updated_ms":%-?%d+,"is_available":false')
  redis.call(is_available and 'SREM' or 'SADD', KEYS[3], id)
  changed[#changed + 1] = id
  changed[#changed + 1] = is_available and '1' or '0'
end
local function publish()
  if #changed > 0 then
    redis.call('SET', KEYS[5], redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[2], '*', unpack(changed)))
  end
  for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[1]) end
end
"""

# ARGV: …, then id and document of each item. Returns the outcome of each.
_WRITE = f"""
{_PUBLISH}
local function split(document)
  local ms, rest = string.match(document, '^{{"updated_ms":(%-?%d+)(.*)$')
  return tonumber(ms), rest
end
local outcomes = {{}}
for i = 3, #ARGV, 2 do
  local id, document = ARGV[i], ARGV[i + 1]
  local stored = redis.call('HGET', KEYS[1], id)
  local stored_ms, stored_rest = split(stored or '{{"updated_ms":-1')
  local ms, rest = split(document)
  if stored and ms < stored_ms then
    outcomes[#outcomes + 1] = 'older'
  elseif rest == stored_rest then
    if ms > stored_ms then redis.call('HSET', KEYS[1], id, document) end
    outcomes[#outcomes + 1] = 'unchanged'
  else
    redis.call('HSET', KEYS[1], id, document)
    tell(id, document)
    outcomes[#outcomes + 1] = stored and 'changed' or 'new'
  end
end
publish()
return outcomes
"""

# ARGV: …, id, why it is held (JSON; empty: not any more). Returns whether that is news.
_HOLD = f"""
{_PUBLISH}
local id, why = ARGV[3], ARGV[4]
local is_news = (redis.call('HGET', KEYS[2], id) or '') ~= why
if is_news then
  if why == '' then redis.call('HDEL', KEYS[2], id) else redis.call('HSET', KEYS[2], id, why) end
  tell(id, redis.call('HGET', KEYS[1], id) or '')
end
publish()
return is_news and 1 or 0
"""


@dataclass(frozen=True)
class Hold:
    """Why an item is hidden by hand, whatever the shop's records say of it."""

    reason: str
    since_ms: int


@dataclass(frozen=True)
class Written:
    """What became of the items of a write."""

    n_new: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    n_older: int = 0  # refused: what is stored is newer

    def __add__(self, other: "Written") -> "Written":
        return Written(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class CatalogueStore:
    """Writes the catalogue.

    Safe to replay, in any order: of an item the record with the highest `updated_ms` stays, of equal ones the last that was
    written; what is there already makes no change and no version. An item that is gone leaves a mark, so it stays unavailable
    until a record that is not older says that it is sold again.
    """

    client: Redis

    def write(self, items: Iterable[CatalogueItem]) -> Written:
        """Write the items, a step for each CHUNK of them."""
        return self._write((item.item_id, to_document(item)) for item in items)

    def remove(self, gone_at_ms: Mapping[str, int]) -> Written:
        """The shop sells these items no more, as of that time, epoch ms: they are unavailable from now on."""
        return self._write((item_id, gone_document(at_ms)) for item_id, at_ms in gone_at_ms.items())

    def hold(self, item_id: str, hold: Hold) -> bool:
        """Hide an item, known or not, until it is released: no record of the shop brings it back. False: it was held so."""
        return self._hold(item_id, orjson.dumps({"reason": hold.reason, "since_ms": hold.since_ms}))

    def release(self, item_id: str) -> bool:
        """End a hold; the item is what the shop's last record says. False: it was not held."""
        return self._hold(item_id, b"")

    def held(self, item_id: str) -> Hold | None:
        """Why the item is held; None when it is not."""
        why = self.client.hget(CATALOGUE_HELD, item_id)
        return Hold(**orjson.loads(why)) if isinstance(why, bytes) else None

    def read(self, item_id: str) -> CatalogueItem | None:
        """The item as its last record says, holds aside; None where there is none, or it is gone."""
        document = self.client.hget(CATALOGUE_ITEMS, item_id)
        return from_document(item_id, document) if isinstance(document, bytes) else None

    def is_available(self, item_id: str) -> bool:
        """Whether it may be shown."""
        return not self.client.sismember(CATALOGUE_UNAVAILABLE, item_id)

    def version(self) -> bytes | None:
        """The id of the last change; None where there is no catalogue."""
        version = self.client.get(CATALOGUE_VERSION)
        return version if isinstance(version, bytes) else None

    def _write(self, documents: Iterable[tuple[str, bytes]]) -> Written:
        outcomes: Counter[bytes] = Counter()
        for round_trip in _groups(_groups(documents, CHUNK), CHUNKS_AT_ONCE):
            with self.client.pipeline(transaction=False) as pipe:
                for chunk in round_trip:
                    arguments = [value for pair in chunk for value in pair]
                    pipe.eval(_WRITE, len(_KEYS), *_KEYS, TTL_SECONDS, KEPT_CHANGES, *arguments)
                outcomes.update(outcome for of_chunk in pipe.execute() for outcome in of_chunk)
        return Written(*(outcomes[name] for name in (b"new", b"changed", b"unchanged", b"older")))

    def _hold(self, item_id: str, why: bytes) -> bool:
        return bool(self.client.eval(_HOLD, len(_KEYS), *_KEYS, TTL_SECONDS, KEPT_CHANGES, item_id, why))


def _groups(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """`size` at a time."""
    rest = iter(values)
    while group := list(islice(rest, size)):
        yield group
