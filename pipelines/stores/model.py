"""The model in Redis: full copies now and then, a patch for every micro-batch between them.

A *lineage* is one checkpoint's model: its patches are numbered by batch id, and a new checkpoint counts from 0 again, so it
needs a new lineage.
"""

from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from pipelines.stores.keys import MODEL_HEAD, patches_key, snapshot_key

TTL_SECONDS = 30 * 24 * 3600
KEPT_PATCHES = 20  # so that a worker that is a step behind need not load the full copy
_PATCH, _BATCH_BYTES = b"patch", 8
RELOAD = b""  # the patch of a step that moved columns: take the snapshot instead


@dataclass(frozen=True)
class Snapshot:
    """A full model and the last batch in it."""

    batch_id: int
    model: bytes


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
        value = snapshot.batch_id.to_bytes(_BATCH_BYTES, "little", signed=True) + snapshot.model
        with self._client.pipeline(transaction=True) as pipe:
            pipe.set(snapshot_key(lineage), value, ex=TTL_SECONDS)
            oldest_kept = max(_entry(snapshot.batch_id) + 1 - KEPT_PATCHES, 0)
            pipe.xtrim(patches_key(lineage), minid=f"{oldest_kept}-0", approximate=False)
            pipe.set(MODEL_HEAD, lineage, ex=TTL_SECONDS)
            pipe.execute()

    def publish_patch(self, lineage: str, batch_id: int, patch: bytes) -> bool:
        """Append the patch of `batch_id`. False: it, or a later one, was there."""
        key = patches_key(lineage)
        try:
            self._client.xadd(key, {_PATCH: patch}, id=f"{_entry(batch_id)}-0")
        except ResponseError as error:
            if "equal or smaller" in str(error):
                return False
            raise
        with self._client.pipeline(transaction=False) as pipe:
            for living in (key, snapshot_key(lineage), MODEL_HEAD):
                pipe.expire(living, TTL_SECONDS)
            pipe.execute()
        return True

    def is_followable(self, lineage: str) -> bool:
        """Whether a reader that knows nothing yet finds its way: not so after the server lost its data."""
        return self._client.exists(MODEL_HEAD, snapshot_key(lineage)) == 2

    def read_snapshot(self, lineage: str) -> Snapshot | None:
        """The last full copy; None when there is none (any more)."""
        value = self._client.get(snapshot_key(lineage))
        if not isinstance(value, bytes):
            return None
        return Snapshot(int.from_bytes(value[:_BATCH_BYTES], "little", signed=True), value[_BATCH_BYTES:])

    def read_patches(self, lineage: str, after_batch: int) -> list[tuple[int, bytes]]:
        """(batch id, patch) of every step after `after_batch`, oldest first."""
        entries: Any = self._client.xrange(patches_key(lineage), min=f"{_entry(after_batch) + 1}-0")
        return [(int(entry.split(b"-")[0]) - 1, fields[_PATCH]) for entry, fields in entries]


def _entry(batch_id: int) -> int:
    """Stream ids start above 0-0, batch ids at 0."""
    return batch_id + 1
