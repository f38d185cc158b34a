"""How far a rebuild of the profiles came, kept beside the profiles: when they are lost, so is it."""

import time
from dataclasses import dataclass

import orjson
from redis import Redis

from pipelines.stores.keys import REBUILD_PLAN, REBUILD_SLICES

TTL_SECONDS = 24 * 3600


@dataclass(frozen=True)
class RebuildProgress:
    """The slices of the users that are done, of one plan.

    Safe to replay: a slice is done once more or not at all. Another plan begins with none done.
    """

    client: Redis

    def begin(self, plan: str) -> set[int]:
        """Take up `plan` (what is rebuilt, from what, in how many slices); returns the slices that are done already."""
        stored = self.client.get(REBUILD_PLAN)
        if not isinstance(stored, bytes) or orjson.loads(stored)["plan"] != plan:
            self.finish()
            self.client.set(REBUILD_PLAN, orjson.dumps({"plan": plan, "begun_s": time.time()}), ex=TTL_SECONDS)
        return self.done()

    def mark(self, slice_number: int) -> None:
        """Every user of the slice is written."""
        with self.client.pipeline(transaction=True) as pipe:
            pipe.sadd(REBUILD_SLICES, slice_number)
            pipe.expire(REBUILD_SLICES, TTL_SECONDS)
            pipe.execute()

    def done(self) -> set[int]:
        """Return the slices that are done."""
        return {int(number) for number in self.client.smembers(REBUILD_SLICES)}

    def finish(self) -> None:
        """Forget the plan."""
        self.client.delete(REBUILD_PLAN, REBUILD_SLICES)
