"""Profiles and lists of users in Redis."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import NoScriptError

from pipelines.stores.keys import list_key, profile_key

# Both values of a user in one step, unless the stored profile was read further from the same source: bytes 17 to 24 of a
# profile are the source of its first mark, 25 to 32 the offset.
_WRITE_UNLESS_BEHIND = """
local refused = 0
for i = 1, #KEYS, 2 do
  local profile, list = ARGV[i + 2], ARGV[i + 3]
  local stored = redis.call('GETRANGE', KEYS[i], 16, 31)
  if #stored == 16 and string.sub(stored, 1, 8) == string.sub(profile, 17, 24)
     and struct.unpack('<I8', stored, 9) > struct.unpack('<I8', profile, 25) then
    refused = refused + 1
  else
    redis.call('SET', KEYS[i], profile, 'EX', ARGV[1])
    if #list > 0 then redis.call('SET', KEYS[i + 1], list, 'EX', ARGV[2]) end
  end
end
return refused
"""


@dataclass(frozen=True)
class UserState:
    """What is written of one user."""

    user: str
    profile: bytes
    published: bytes | None  # the list's document; None: the old one stays


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
        self._script_sha: str | None = None

    def read_profiles(self, users: Sequence[str]) -> list[bytes | None]:
        """The stored profile of each user, None where there is none."""
        return self._client.mget([profile_key(user) for user in users]) if users else []  # type: ignore[return-value]

    def write(self, states: Sequence[UserState]) -> int:
        """Write `states`; returns how many users were refused because the stored profile is further on."""
        if not states:
            return 0
        try:
            return self._write(states)
        except NoScriptError:  # the server was restarted
            self._script_sha = None
            return self._write(states)

    def _write(self, states: Sequence[UserState]) -> int:
        if self._script_sha is None:
            self._script_sha = str(self._client.script_load(_WRITE_UNLESS_BEHIND))
        with self._client.pipeline(transaction=False) as pipe:
            for chunk in self._chunks(states):
                keys = [key for state in chunk for key in (profile_key(state.user), list_key(state.user))]
                values = [value for state in chunk for value in (state.profile, state.published or b"")]
                pipe.evalsha(self._script_sha, len(keys), *keys, *self._ttls, *values)
            return sum(pipe.execute())

    def _chunks(self, states: Sequence[UserState]) -> Iterator[Sequence[UserState]]:
        return (states[i : i + self._chunk_users] for i in range(0, len(states), self._chunk_users))
