"""How far a stream has committed, read from its checkpoint on disk."""

import json
from pathlib import Path
from typing import Any

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


def next_table_version(checkpoint: Path) -> int:
    """The first version of its Delta table that a stream has not committed as a whole; 0 before the first micro-batch."""
    batch_ids = _batch_ids(checkpoint / "commits")
    return int(_end_of(checkpoint, max(batch_ids))["reservoirVersion"]) if batch_ids else 0


def _end_offsets(checkpoint: Path, topic: str, batch_ids: list[int]) -> Offsets:
    if not batch_ids:
        return {}
    end = _end_of(checkpoint, max(batch_ids))
    return {int(partition): offset for partition, offset in end.get(topic, {}).items()}


def _end_of(checkpoint: Path, batch_id: int) -> dict[str, Any]:
    lines = (checkpoint / "offsets" / str(batch_id)).read_text(encoding="utf-8").splitlines()
    end: dict[str, Any] = json.loads(lines[-1])
    return end


def _batch_ids(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
