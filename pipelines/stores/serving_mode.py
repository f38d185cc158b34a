"""Whether personal lists are served at all: one value for everybody, set by hand or by a job that found the data too old."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Literal, get_args

import orjson
from redis import Redis

from pipelines.stores.keys import SERVING_MODE

Mode = Literal["personal", "fallback"]


@dataclass(frozen=True)
class ServingMode:
    """What is served, and who wants it so since when."""

    mode: Mode = "personal"
    reason: str = ""
    since_ms: int | None = None  # epoch ms; None: nobody ever set it
    by: str = ""

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_bytes(cls, value: bytes | None) -> "ServingMode":
        """Read what is stored; None is `personal`.

        So is what cannot be read, but for the bare word `fallback`: somebody in a hurry means it.
        """
        return _parsed(value) if value else cls()


@lru_cache(maxsize=16)
def _parsed(value: bytes) -> ServingMode:
    if value.strip() == b"fallback":
        return ServingMode("fallback", "set without a reason")
    try:
        said = orjson.loads(value)
        if said["mode"] not in get_args(Mode):
            raise ValueError(said["mode"])
        since_ms = said.get("since_ms")
        return ServingMode(
            said["mode"], str(said.get("reason") or ""), since_ms and int(since_ms), str(said.get("by") or "")
        )
    except (ValueError, KeyError, TypeError):
        return ServingMode("personal", "what is stored under serving:mode cannot be read")


@dataclass(frozen=True)
class ServingModeStore:
    """Sets and reads the mode. Safe to replay: the same value is set again."""

    client: Redis

    def read(self) -> ServingMode:
        value = self.client.get(SERVING_MODE)
        return ServingMode.from_bytes(value if isinstance(value, bytes) else None)

    def set(self, mode: ServingMode) -> None:
        """Hold for everybody from the next request on. It does not expire: what was switched off stays off."""
        self.client.set(SERVING_MODE, mode.to_json())

    def forget(self) -> None:
        """Make it as if nobody ever set a mode."""
        self.client.delete(SERVING_MODE)
