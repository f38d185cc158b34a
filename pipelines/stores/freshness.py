"""What `check_freshness` remembers from look to look, changed together with the mode that it sets."""

from dataclasses import dataclass
from typing import Any

import orjson
from redis import Redis

from pipelines.stores.keys import FRESHNESS, SERVING_MODE
from pipelines.stores.serving_mode import ServingMode

TTL_SECONDS = 30 * 24 * 3600

# Sets both values where neither changed since they were read. An empty ARGV stands for none.
_EXCHANGE = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] or (redis.call('GET', KEYS[2]) or '') ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[5])
if ARGV[4] ~= '' then redis.call('SET', KEYS[2], ARGV[4]) end
return 1
"""


@dataclass(frozen=True)
class Remembered:
    """Both values as they were read."""

    values: dict[str, Any]  # empty before the first look, and where they cannot be read
    mode: ServingMode
    is_mode_set: bool  # whether anybody ever set a mode
    raw: tuple[bytes, bytes]


@dataclass(frozen=True)
class FreshnessStore:
    """Reads and changes them. Safe to replay, and for several at once: who read before another wrote, changes nothing."""

    client: Redis

    def read(self) -> Remembered:
        """Both, as of one instant."""
        remembered, mode = (value if isinstance(value, bytes) else b"" for value in self._both())
        return Remembered(_parsed(remembered), ServingMode.from_bytes(mode or None), bool(mode), (remembered, mode))

    def exchange(self, read: Remembered, values: dict[str, Any], mode: ServingMode | None) -> bool:
        """Remember `values`, and set `mode` unless it is None, in one step; do nothing, and return False, after others did."""
        wanted = (orjson.dumps(values), mode.to_json() if mode else b"")
        return bool(self.client.eval(_EXCHANGE, 2, FRESHNESS, SERVING_MODE, *read.raw, *wanted, TTL_SECONDS))

    def _both(self) -> list[Any]:
        values: list[Any] = self.client.mget(FRESHNESS, SERVING_MODE)
        return values


def _parsed(stored: bytes) -> dict[str, Any]:
    try:
        values = orjson.loads(stored or b"{}")
    except orjson.JSONDecodeError:
        return {}
    return values if isinstance(values, dict) else {}
