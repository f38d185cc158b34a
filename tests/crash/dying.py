"""A job that kills its own driver, JVM and workers, once, at a chosen point of a chosen micro-batch."""

import os
import signal
from typing import NamedTuple

from pipelines.stores.model import ModelStore, Patch, Snapshot


class Point(NamedTuple):
    """before-the-patch, between-snapshot-and-patch or after-the-patch, of that micro-batch.

    The stage has written its profiles and lists when the driver publishes; Spark commits when it has published."""

    name: str
    batch_id: int


def die() -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)


def arm(fatal: Point) -> None:
    publish_patch, publish_snapshot = ModelStore.publish_patch, ModelStore.publish_snapshot

    def patch(store: ModelStore, lineage: str, step: Patch) -> bool:
        if fatal == ("before-the-patch", step.batch_id):
            die()
        told = publish_patch(store, lineage, step)
        if fatal == ("after-the-patch", step.batch_id):
            die()
        return told

    def snapshot(store: ModelStore, lineage: str, full: Snapshot) -> None:
        publish_snapshot(store, lineage, full)
        if fatal == ("between-snapshot-and-patch", full.batch_id):
            die()

    ModelStore.publish_patch, ModelStore.publish_snapshot = patch, snapshot
