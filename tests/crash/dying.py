"""Run a job that kills its own driver, JVM and workers, once, at a chosen point of a chosen micro-batch.

python -m tests.crash.dying POINT BATCH_ID personalize --config FILE
"""

import os
import signal
import sys

from jobs.__main__ import main
from pipelines.stores.model import ModelStore, Patch, Snapshot


def die() -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)


def arm(point: str, fatal_batch: int) -> None:
    """point: before-the-patch, between-snapshot-and-patch or after-the-patch.

    The stage has written its profiles and lists when the driver publishes; Spark commits when it has published."""
    publish_patch, publish_snapshot = ModelStore.publish_patch, ModelStore.publish_snapshot

    def patch(store: ModelStore, lineage: str, step: Patch) -> bool:
        if step.batch_id == fatal_batch and point == "before-the-patch":
            die()
        told = publish_patch(store, lineage, step)
        if step.batch_id == fatal_batch and point == "after-the-patch":
            die()
        return told

    def snapshot(store: ModelStore, lineage: str, full: Snapshot) -> None:
        publish_snapshot(store, lineage, full)
        if full.batch_id == fatal_batch and point == "between-snapshot-and-patch":
            die()

    ModelStore.publish_patch, ModelStore.publish_snapshot = patch, snapshot


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    main(sys.argv[3:], prog_name="liveshelf")
