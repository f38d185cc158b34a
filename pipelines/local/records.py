"""Who runs which server: one small file for each, true even after a crash.

A pid alone proves nothing, for it may belong to another process by now; pid and creation time together do.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

SAME_INSTANT_SECONDS = 2.0  # the boot time that creation times are counted from is only known to about a second


@dataclass(frozen=True)
class ProcessId:
    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        """Name the process that has `pid` now. Raises psutil.NoSuchProcess when there is none."""
        return cls(pid, psutil.Process(pid).create_time())

    def process(self) -> psutil.Process | None:
        """Return the process while it runs; None when it has ended or its pid is another's now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < SAME_INSTANT_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True)
class Record:
    """A server, the process that started it, and where it listens."""

    server: ProcessId
    owner: ProcessId
    port: int

    @property
    def is_live(self) -> bool:
        return self.server.process() is not None and self.owner.process() is not None


def record_path(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.json"


def write_record(path: Path, record: Record) -> None:
    """Whole or not at all: a reader never sees half a record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".new")
    written.write_text(json.dumps(asdict(record)), encoding="utf-8")
    written.rename(path)


def read_record(path: Path) -> Record | None:
    """None when there is none, or it is not one of ours."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Record(ProcessId(**values["server"]), ProcessId(**values["owner"]), values["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
