"""Users whose list is to be made again without an interaction that does it: by time, or at leisure.

A queue is a sorted set for each shard of the users. Whoever makes lists *claims* users, which nobody else gets until the lease
has run out, and says when they are done. A claim that is never done (a worker that died) comes back.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from redis import Redis

from pipelines.stores.keys import claimed_key, due_key, renewal_key

N_SHARDS = 16
TTL_SECONDS = 7 * 24 * 3600
LEASE_MS = 60_000
CHUNK = 1_000

Kind = Literal["due", "renewal"]
_KEYS = {"due": due_key, "renewal": renewal_key}

# Users with a score up to ARGV[1] move to the claimed ones, but for those that somebody has; claims that ran out come first.
_CLAIM = """
local now, lease, wanted = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local taken = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, wanted)
local waiting = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, wanted)
for _, user in ipairs(waiting) do
  if #taken >= wanted then break end
  if not redis.call('ZSCORE', KEYS[2], user) then
    redis.call('ZREM', KEYS[1], user)
    taken[#taken + 1] = user
  end
end
for _, user in ipairs(taken) do redis.call('ZADD', KEYS[2], now + lease, user) end
if #taken > 0 then redis.call('EXPIRE', KEYS[2], ARGV[5]) end
return taken
"""


def shard_of(user: str) -> int:
    """Which of the N_SHARDS a user is in."""
    return zlib.crc32(user.encode()) % N_SHARDS


@dataclass(frozen=True)
class DueStore:
    """The queues. Safe to replay: a user is in a queue once, and a later time never replaces an earlier one."""

    client: Redis

    def put(self, users: Sequence[str], at_ms: int) -> None:
        """Their lists are due at `at_ms`, epoch ms, unless they are due already: the first interaction that waits counts."""
        self._add("due", users, [at_ms] * len(users), nx=True)

    def ask(self, users: Sequence[str], at_ms: int) -> None:
        """Their lists are due at `at_ms` at the latest."""
        self._add("due", users, [at_ms] * len(users), lt=True)

    def renew(self, users: Sequence[str], scores: Sequence[float]) -> None:
        """Their lists are to be made again at leisure, the one with the least score first."""
        self._add("renewal", users, scores, lt=True)

    def settle(self, users: Sequence[str]) -> None:
        """Their lists were made just now: they are not due any more."""
        if users:
            with self.client.pipeline(transaction=False) as pipe:
                for shard, own in _by_shard(users):
                    pipe.zrem(due_key(shard), *own)
                pipe.execute()

    def claim(self, kind: Kind, shard: int, upto: float, now_ms: int, n: int, lease_ms: int = LEASE_MS) -> list[str]:
        """Take at most `n` users of a shard with a score up to `upto`; until the lease ends nobody else gets them.

        A user that somebody has claimed stays in the queue, for it came back after the claim.
        """
        keys = (_KEYS[kind](shard), claimed_key(kind, shard))
        taken = self.client.eval(_CLAIM, 2, *keys, upto, now_ms, lease_ms, n, TTL_SECONDS)
        return [user.decode() for user in taken]

    def done(self, kind: Kind, shard: int, users: Sequence[str]) -> None:
        """Give up the claims: the lists are made."""
        if users:
            self.client.zrem(claimed_key(kind, shard), *users)

    def waiting(self, kind: Kind, upto: float, now_ms: int) -> list[int]:
        """How many users of each shard could be claimed now, claims that ran out included."""
        with self.client.pipeline(transaction=False) as pipe:
            for shard in range(N_SHARDS):
                pipe.zcount(_KEYS[kind](shard), "-inf", upto)
                pipe.zcount(claimed_key(kind, shard), "-inf", now_ms)
            counts = pipe.execute()
        return [queued + claimed for queued, claimed in zip(counts[::2], counts[1::2], strict=True)]

    def _add(
        self, kind: Kind, users: Sequence[str], scores: Sequence[float], *, nx: bool = False, lt: bool = False
    ) -> None:
        if not users:
            return
        score_of = dict(zip(users, scores, strict=True))
        with self.client.pipeline(transaction=False) as pipe:
            for shard, own in _by_shard(users):
                key = _KEYS[kind](shard)
                pipe.zadd(key, {user: score_of[user] for user in own}, nx=nx, lt=lt)
                pipe.expire(key, TTL_SECONDS)
            pipe.execute()


def _by_shard(users: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """(Shard, at most CHUNK of its users), in order of the shards."""
    shards: dict[int, list[str]] = {}
    for user in users:
        shards.setdefault(shard_of(user), []).append(user)
    for shard, own in sorted(shards.items()):
        for first in range(0, len(own), CHUNK):
            yield shard, own[first : first + CHUNK]
