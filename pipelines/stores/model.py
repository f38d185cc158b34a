"""The model in Redis: full copies now and then, a patch for every micro-batch between them, and the last good copy.

A *lineage* is one checkpoint's model: its patches are numbered by batch id, and a new checkpoint counts from 0 again, so it
needs a new lineage.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson
from redis import Redis
from redis.exceptions import ResponseError

from pipelines.stores.keys import MODEL_HEAD, good_key, patches_key, snapshot_key

TTL_SECONDS = 30 * 24 * 3600
KEPT_PATCHES = 20  # so that a worker that is a step behind need not load the full copy
_PATCH, _ABOUT = b"patch", b"about"
_BATCH_BYTES, _LENGTH_BYTES = 8, 4
RELOAD = b""  # the patch of a step that moved columns: take the snapshot instead


@dataclass(frozen=True)
class Snapshot:
    """A full model and the last batch in it."""

    batch_id: int
    model: bytes
    about: dict[str, Any] = field(default_factory=dict)  # what the learner must know to go on; JSON

    def to_bytes(self) -> bytes:
        about = orjson.dumps(self.about)
        numbers = self.batch_id.to_bytes(_BATCH_BYTES, "little", signed=True) + len(about).to_bytes(
            _LENGTH_BYTES, "little"
        )
        return numbers + about + self.model

    @classmethod
    def from_bytes(cls, value: bytes) -> "Snapshot":
        batch_id = int.from_bytes(value[:_BATCH_BYTES], "little", signed=True)
        start = _BATCH_BYTES + _LENGTH_BYTES
        end = start + int.from_bytes(value[_BATCH_BYTES:start], "little")
        return cls(batch_id, value[end:], orjson.loads(value[start:end]))


@dataclass(frozen=True)
class Patch:
    """What the step of a batch changed; `RELOAD` where it moved columns."""

    batch_id: int
    patch: bytes
    about: dict[str, Any] = field(default_factory=dict)


class ModelStore:
    """Publishes and follows the model of a lineage.

    Safe to replay: a patch whose batch id is not above the last one is refused by the stream itself.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client

    def lineage(self) -> str | None:
        """The lineage in use; None before the first."""
        head = self._client.get(MODEL_HEAD)
        return head.decode() if isinstance(head, bytes) else None

    def publish_snapshot(self, lineage: str, snapshot: Snapshot) -> None:
        """Set the full copy, drop the patches that it holds but for the last few, and put the lineage in use."""
        with self._client.pipeline(transaction=True) as pipe:
            pipe.set(snapshot_key(lineage), snapshot.to_bytes(), ex=TTL_SECONDS)
            oldest_kept = max(_entry(snapshot.batch_id) + 1 - KEPT_PATCHES, 0)
            pipe.xtrim(patches_key(lineage), minid=f"{oldest_kept}-0", approximate=False)
            pipe.set(MODEL_HEAD, lineage, ex=TTL_SECONDS)
            pipe.execute()

    def publish_patch(self, lineage: str, patch: Patch) -> bool:
        """Append the patch of its batch. False: it, or a later one, was there."""
        key = patches_key(lineage)
        fields: Any = {_PATCH: patch.patch, _ABOUT: orjson.dumps(patch.about)}
        try:
            self._client.xadd(key, fields, id=f"{_entry(patch.batch_id)}-0")
        except ResponseError as error:
            if "equal or smaller" in str(error):
                return False
            raise
        with self._client.pipeline(transaction=False) as pipe:
            for living in (key, snapshot_key(lineage), good_key(lineage), MODEL_HEAD):
                pipe.expire(living, TTL_SECONDS)
            pipe.execute()
        return True

    def is_followable(self, lineage: str) -> bool:
        """Whether a reader that knows nothing yet finds its way: not so after the server lost its data."""
        return self._client.exists(MODEL_HEAD, snapshot_key(lineage)) == 2

    def read_snapshot(self, lineage: str) -> Snapshot | None:
        """The last full copy; None when there is none (any more)."""
        return self._read(snapshot_key(lineage))

    def snapshot_head(self, lineage: str) -> tuple[int, int] | None:
        """The last batch in the last full copy, and the copy's size in bytes, without reading it; None when there is none."""
        key = snapshot_key(lineage)
        with self._client.pipeline(transaction=True) as pipe:
            pipe.getrange(key, 0, _BATCH_BYTES - 1)
            pipe.strlen(key)
            batch_id, n_bytes = pipe.execute()
        return (int.from_bytes(batch_id, "little", signed=True), n_bytes) if n_bytes else None

    def publish_good(self, lineage: str, snapshot: Snapshot) -> None:
        """Set the copy to go back to."""
        self._client.set(good_key(lineage), snapshot.to_bytes(), ex=TTL_SECONDS)

    def read_good(self, lineage: str) -> Snapshot | None:
        """The copy to go back to; None when there is none."""
        return self._read(good_key(lineage))

    def read_patches(self, lineage: str, after_batch: int) -> list[Patch]:
        """Every step after `after_batch`, oldest first."""
        entries: Any = self._client.xrange(patches_key(lineage), min=f"{_entry(after_batch) + 1}-0")
        return [
            Patch(int(entry.split(b"-")[0]) - 1, fields[_PATCH], orjson.loads(fields[_ABOUT]))
            for entry, fields in entries
        ]

    def _read(self, key: str) -> Snapshot | None:
        value = self._client.get(key)
        return Snapshot.from_bytes(value) if isinstance(value, bytes) else None


def _entry(batch_id: int) -> int:
    """Stream ids start above 0-0, batch ids at 0."""
    return batch_id + 1
