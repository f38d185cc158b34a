"""How far a stream has committed, read from its checkpoint on disk."""

import json
from pathlib import Path

Offsets = dict[int, int]  # by partition: the offset that comes next


def committed_offsets(checkpoint: Path, topic: str) -> Offsets:
    """Where the last committed micro-batch of a Kafka stream ended; empty before the first.

    The log of a batch has three lines: version, metadata, and the end offsets of the source as JSON.
    """
    return _end_offsets(checkpoint, topic, _batch_ids(checkpoint / "commits"))


def planned_offsets(checkpoint: Path, topic: str) -> Offsets:
    """Where the newest micro-batch ends, committed or still at work; empty before the first."""
    return _end_offsets(checkpoint, topic, _batch_ids(checkpoint / "offsets"))


def offsets_after(checkpoint: Path, topic: str, batch_id: int) -> Offsets:
    """Where a micro-batch ended; empty where its log is not there (any more)."""
    return _end_offsets(checkpoint, topic, [batch_id]) if (checkpoint / "offsets" / str(batch_id)).exists() else {}


def _end_offsets(checkpoint: Path, topic: str, batch_ids: list[int]) -> Offsets:
    if not batch_ids:
        return {}
    lines = (checkpoint / "offsets" / str(max(batch_ids))).read_text(encoding="utf-8").splitlines()
    return {int(partition): offset for partition, offset in json.loads(lines[-1]).get(topic, {}).items()}


def _batch_ids(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
