"""Profiles and lists of users in Redis."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import NoScriptError

from pipelines.stores.keys import list_key, list_log_key, profile_key, shown_key, user_of
from pipelines.stores.list_log import N_LOGS
from pipelines.stores.user_scripts import (
    PUBLISH_IF_UNCHANGED,
    REPLACE_IF_UNCHANGED,
    REPLACE_TOGETHER,
    WRITE_UNLESS_BEHIND,
)


@dataclass(frozen=True)
class UserState:
    """What is written of one user."""

    user: str
    profile: bytes
    published: bytes | None  # the list's document; None: the old one stays
    cause: str = "interactions"  # why the list was made, for the log


@dataclass(frozen=True)
class Refusals:
    """What `write` did not write."""

    n_behind: int  # users whose stored profile was read further from the same source
    overtaken: list[str]  # users whose profile a rebuild replaced since it was read


class UserStore:
    """Reads profiles in one round trip, writes profiles and lists in one.

    Every list that is written goes into a log too, in the same step, where there is to be one (`max_logged`, list_log.py).
    Safe to replay: the same bytes are set again, and logged once. A writer that lags behind (a task that was given up and still
    runs) is refused user by user, by comparing marks on the server. Profile and list of a user change together or not at all.
    """

    def __init__(
        self,
        client: Redis,
        *,
        profile_ttl_seconds: int,
        list_ttl_seconds: int,
        max_logged: int = 0,
        chunk_users: int = 200,
    ) -> None:
        self._client = client
        self._settings = (profile_ttl_seconds, list_ttl_seconds, max_logged)
        self._chunk_users = chunk_users  # a script blocks the server: well below a millisecond each
        self._shas: dict[str, str] = {}

    def read_profiles(self, users: Sequence[str]) -> list[bytes | None]:
        """The stored profile of each user, None where there is none."""
        return self.read_with_shown(users, ())[0]

    def read_with_shown(
        self, users: Sequence[str], viewers: Sequence[str]
    ) -> tuple[list[bytes | None], list[bytes | None]]:
        """The stored profile of each of `users`, and what was shown to each of `viewers`, in one round trip."""
        keys = [*(profile_key(user) for user in users), *(shown_key(user) for user in viewers)]
        values: list[bytes | None] = self._client.mget(keys) if keys else []  # type: ignore[assignment]
        return values[: len(users)], values[len(users) :]

    def write_shown(self, shown: Mapping[str, bytes], ttl_seconds: int) -> None:
        """What was shown to each user, for so long. Safe to replay: it is a value as a whole."""
        if shown:
            with self._client.pipeline(transaction=False) as pipe:
                for user, value in shown.items():
                    pipe.set(shown_key(user), value, ex=ttl_seconds)
                pipe.execute()

    def write(self, states: Sequence[UserState]) -> Refusals:
        """Write `states`, but for users whose stored profile is further on or of a later generation."""
        values = [_values(state) for state in states]
        results = self._run(WRITE_UNLESS_BEHIND, [state.user for state in states], values)
        overtaken = [states[first + place].user for first, (_, *places) in results for place in places]
        return Refusals(sum(n_behind for _, (n_behind, *_) in results), overtaken)

    def replace(self, states: Sequence[UserState], expected: Sequence[bytes | None]) -> list[str]:
        """Write each state whose stored profile is still `expected`, byte by byte (None: there is none).

        Returns the users that were refused: read them again. Safe to replay: what is stored already counts as written.
        A replay after somebody else went on from there is refused, and overwrites nothing.
        """
        results = self._run(REPLACE_IF_UNCHANGED, [state.user for state in states], _with_expected(states, expected))
        return [states[first + place].user for first, places in results for place in places]

    def replace_together(self, states: Sequence[UserState], expected: Sequence[bytes | None]) -> bool:
        """Write all `states`, or none when a stored profile is not `expected` any more (None: there was none); says which.

        Safe to replay: all that is stored already counts as written. The users lie on one server: on a cluster, where each has a
        slot of its own, there is no such step.
        """
        users = [state.user for state in states]
        ((_, refused),) = self._run(REPLACE_TOGETHER, users, _with_expected(states, expected), len(users))
        return not refused

    def publish(self, states: Sequence[UserState]) -> list[str]:
        """Write the list of each state whose profile is the stored one, byte by byte; the profiles stay as they are.

        Returns the users that were refused: somebody folded more, and sees to their lists. Safe to replay.
        """
        values = [(*_values(state), b"") for state in states]
        results = self._run(PUBLISH_IF_UNCHANGED, [state.user for state in states], values)
        return [states[first + place].user for first, places in results for place in places]

    def read_lists(self, users: Sequence[str]) -> list[bytes | None]:
        """The list of each user, None where there is none."""
        return self._client.mget([list_key(user) for user in users]) if users else []  # type: ignore[return-value]

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
        """Forget the profiles and lists of `users`, and what was shown to them. Safe to replay."""
        if users:
            self._client.delete(
                *[key for user in users for key in (profile_key(user), list_key(user), shown_key(user))]
            )

    def _run(
        self,
        script: str,
        users: Sequence[str],
        values: Sequence[tuple[bytes | str, ...]],
        chunk_users: int | None = None,
    ) -> list[tuple[int, list[int]]]:
        """Run `script` over all users, in chunks; gives the index of each chunk's first user and what the script returned."""
        size = chunk_users or self._chunk_users
        try:
            return self._run_loaded(script, users, values, size)
        except NoScriptError:  # the server was restarted
            self._shas.clear()
            return self._run_loaded(script, users, values, size)

    def _run_loaded(
        self, script: str, users: Sequence[str], values: Sequence[tuple[bytes | str, ...]], chunk_users: int
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
                keys.append(list_log_key(zlib.crc32(users[first].encode()) % N_LOGS))
                pipe.evalsha(self._shas[script], len(keys), *keys, *self._settings, *flat)
            return list(zip(range(0, len(users), chunk_users), pipe.execute(), strict=True))


def _values(state: UserState) -> tuple[bytes | str, ...]:
    return (state.profile, state.published or b"", state.cause)


def _with_expected(states: Sequence[UserState], expected: Sequence[bytes | None]) -> list[tuple[bytes | str, ...]]:
    return [(*_values(state), e or b"") for state, e in zip(states, expected, strict=True)]
