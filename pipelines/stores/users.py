"""Profiles and lists of users in Redis."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import NoScriptError

from pipelines.stores.keys import list_key, profile_key, user_of

# Both values of a user in one step, unless a rebuild has replaced the stored profile since, or it was read further from
# the same source. Byte 2 of a profile is its number of marks, bytes 29 to 32 are its generation, 33 to 40 the source of
# its first mark, 41 to 48 the offset. Returns how many lie behind, then the places of those that a rebuild overtook.
_WRITE_UNLESS_BEHIND = """
local function is_behind(stored, profile)
  return string.byte(stored, 2) > 0 and string.byte(profile, 2) > 0
     and string.sub(stored, 33, 40) == string.sub(profile, 33, 40)
     and struct.unpack('<I8', stored, 41) > struct.unpack('<I8', profile, 41)
end
local result = {0}
for i = 1, #KEYS, 2 do
  local profile, list = ARGV[i + 2], ARGV[i + 3]
  local stored = redis.call('GETRANGE', KEYS[i], 0, 47)
  if #stored > 0 and struct.unpack('<I4', stored, 29) > struct.unpack('<I4', profile, 29) then
    result[#result + 1] = (i - 1) / 2
  elseif #stored > 0 and is_behind(stored, profile) then
    result[1] = result[1] + 1
  else
    redis.call('SET', KEYS[i], profile, 'EX', ARGV[1])
    if #list > 0 then redis.call('SET', KEYS[i + 1], list, 'EX', ARGV[2]) end
  end
end
return result
"""

# Both values of a user in one step, if the stored profile is still the one that was read, or already the new one.
_REPLACE_IF_UNCHANGED = """
local refused = {}
for i = 1, #KEYS, 2 do
  local at = 3 + (i - 1) / 2 * 3
  local profile, list, expected = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local stored = redis.call('GET', KEYS[i]) or ''
  if stored == expected or stored == profile then
    redis.call('SET', KEYS[i], profile, 'EX', ARGV[1])
    if #list > 0 then redis.call('SET', KEYS[i + 1], list, 'EX', ARGV[2]) end
  else
    refused[#refused + 1] = (i - 1) / 2
  end
end
return refused
"""

# Both values of some users in one step, if all their stored profiles are still those that were read, or all the new ones already.
_REPLACE_TOGETHER = """
local is_old, is_new = true, true
for i = 1, #KEYS, 2 do
  local at = 3 + (i - 1) / 2 * 3
  local stored = redis.call('GET', KEYS[i]) or ''
  is_old = is_old and stored == ARGV[at + 2]
  is_new = is_new and stored == ARGV[at]
end
if not (is_old or is_new) then return {0} end
for i = 1, #KEYS, 2 do
  local at = 3 + (i - 1) / 2 * 3
  redis.call('SET', KEYS[i], ARGV[at], 'EX', ARGV[1])
  if #ARGV[at + 1] > 0 then redis.call('SET', KEYS[i + 1], ARGV[at + 1], 'EX', ARGV[2]) end
end
return {}
"""


@dataclass(frozen=True)
class UserState:
    """What is written of one user."""

    user: str
    profile: bytes
    published: bytes | None  # the list's document; None: the old one stays


@dataclass(frozen=True)
class Refusals:
    """What `write` did not write."""

    n_behind: int  # users whose stored profile was read further from the same source
    overtaken: list[str]  # users whose profile a rebuild replaced since it was read


class UserStore:
    """Reads profiles in one round trip, writes profiles and lists in one.

    Safe to replay: the same bytes are set again. A writer that lags behind (a task that was given up and still runs)
    is refused user by user, by comparing marks on the server. Profile and list of a user change together or not at all.
    """

    def __init__(
        self, client: Redis, *, profile_ttl_seconds: int, list_ttl_seconds: int, chunk_users: int = 200
    ) -> None:
        self._client = client
        self._ttls = (profile_ttl_seconds, list_ttl_seconds)
        self._chunk_users = chunk_users  # a script blocks the server: well below a millisecond each
        self._shas: dict[str, str] = {}

    def read_profiles(self, users: Sequence[str]) -> list[bytes | None]:
        """The stored profile of each user, None where there is none."""
        return self._client.mget([profile_key(user) for user in users]) if users else []  # type: ignore[return-value]

    def write(self, states: Sequence[UserState]) -> Refusals:
        """Write `states`, but for users whose stored profile is further on or of a later generation."""
        values = [(state.profile, state.published or b"") for state in states]
        results = self._run(_WRITE_UNLESS_BEHIND, [state.user for state in states], values)
        overtaken = [states[first + place].user for first, (_, *places) in results for place in places]
        return Refusals(sum(n_behind for _, (n_behind, *_) in results), overtaken)

    def replace(self, states: Sequence[UserState], expected: Sequence[bytes | None]) -> list[str]:
        """Write each state whose stored profile is still `expected`, byte by byte (None: there is none).

        Returns the users that were refused: read them again. Safe to replay: what is stored already counts as written.
        A replay after somebody else went on from there is refused, and overwrites nothing.
        """
        results = self._run(_REPLACE_IF_UNCHANGED, [state.user for state in states], _with_expected(states, expected))
        return [states[first + place].user for first, places in results for place in places]

    def replace_together(self, states: Sequence[UserState], expected: Sequence[bytes | None]) -> bool:
        """Write all `states`, or none when a stored profile is not `expected` any more (None: there was none); says which.

        Safe to replay: all that is stored already counts as written. The users lie on one server: on a cluster, where each has a
        slot of its own, there is no such step.
        """
        users = [state.user for state in states]
        ((_, refused),) = self._run(_REPLACE_TOGETHER, users, _with_expected(states, expected), len(users))
        return not refused

    def scan_users(self, n_users: int) -> Iterator[list[str]]:
        """All users with a profile, about `n_users` at a time; one that comes or goes meanwhile may be left out."""
        chunk: list[str] = []
        for key in self._client.scan_iter(profile_key("*"), count=n_users):
            chunk.append(user_of(key.decode()))
            if len(chunk) >= n_users:
                yield chunk
                chunk = []
        yield chunk

    def delete(self, users: Sequence[str]) -> None:
        """Forget the profiles and lists of `users`. Safe to replay."""
        if users:
            self._client.delete(*[key for user in users for key in (profile_key(user), list_key(user))])

    def _run(
        self, script: str, users: Sequence[str], values: Sequence[tuple[bytes, ...]], chunk_users: int | None = None
    ) -> list[tuple[int, list[int]]]:
        """Run `script` over all users, in chunks; gives the index of each chunk's first user and what the script returned."""
        size = chunk_users or self._chunk_users
        try:
            return self._run_loaded(script, users, values, size)
        except NoScriptError:  # the server was restarted
            self._shas.clear()
            return self._run_loaded(script, users, values, size)

    def _run_loaded(
        self, script: str, users: Sequence[str], values: Sequence[tuple[bytes, ...]], chunk_users: int
    ) -> list[tuple[int, list[int]]]:
        if not users:
            return []
        if script not in self._shas:
            self._shas[script] = str(self._client.script_load(script))
        with self._client.pipeline(transaction=False) as pipe:
            for first in range(0, len(users), chunk_users):
                chunk = slice(first, first + chunk_users)
                keys = [key for user in users[chunk] for key in (profile_key(user), list_key(user))]
                flat = [value for of_user in values[chunk] for value in of_user]
                pipe.evalsha(self._shas[script], len(keys), *keys, *self._ttls, *flat)
            return list(zip(range(0, len(users), chunk_users), pipe.execute(), strict=True))


def _with_expected(states: Sequence[UserState], expected: Sequence[bytes | None]) -> list[tuple[bytes, ...]]:
    return [(state.profile, state.published or b"", e or b"") for state, e in zip(states, expected, strict=True)]
