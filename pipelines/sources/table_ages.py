"""How new a Delta table is: from its log, and a column of the files that its newest rows are in. Without Spark."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from pipelines.errors import InputError
from pipelines.schemas import TABLES

# The time of a row: when it came to be, where the table says so.
ROW_TIMES = {
    "events": "ingest_time",
    "quarantine": "ingest_time",
    "rule_sets": "first_used",
    "replays": "planned_at",
    "lists": "made_at",
    "catalogue": "told_at",
    "catalogue_rejected": "told_at",
    **{name: "as_of" for name, schema in TABLES.items() if "as_of" in schema.names},
}
N_COMMITS = 200  # looked through for one that adds rows; beyond them are only compactions
MAX_FILES = 64  # of that commit, whose rows are looked at
_ADDS = ("WRITE", "MERGE", "STREAMING UPDATE", "CREATE TABLE AS SELECT", "CREATE OR REPLACE TABLE AS SELECT")
_INSERTED = ("numTargetRowsInserted", "numTargetRowsUpdated", "numOutputRows", "num_added_rows")


@dataclass(frozen=True)
class Commit:
    """A commit that added rows."""

    version: int
    at_ms: int


class TableAge:
    """The table at `path`. Raises InputError where there is none, or it cannot be read."""

    def __init__(self, path: str) -> None:
        try:
            self._table = DeltaTable(path)
            history = self._table.history(N_COMMITS)
        except TableNotFoundError as error:
            raise InputError(f"no table at {path}") from error
        except (DeltaError, OSError) as error:
            raise InputError(f"{path}: {str(error).splitlines()[0]}") from error
        # the newest first
        self.commits = [Commit(entry["version"], entry["timestamp"]) for entry in history if _adds_rows(entry)]

    def newest_row_ms(self, column: str | None) -> int | None:
        """The latest `column` (a timestamp) among the rows of the newest commit that added some; without one, when that was.

        None where no row was ever added.
        """
        if not self.commits:
            return None
        last = self.commits[0]
        before_ms = self.commits[1].at_ms if len(self.commits) > 1 else 0
        times = list(self._times(column, before_ms, last.at_ms)) if column else []
        return max(times, default=last.at_ms)

    def waiting_since_ms(self, version: int) -> tuple[int, int | None]:
        """How many commits from `version` on added rows, and when the first of them was made, epoch ms."""
        waiting = [commit.at_ms for commit in self.commits if commit.version >= version]
        return len(waiting), min(waiting, default=None)

    def _times(self, column: str, before_ms: int, upto_ms: int) -> Iterator[int]:
        actions = pa.table(self._table.get_add_actions(flatten=True)).select(["path", "modification_time"]).to_pylist()
        files = {each["path"] for each in actions if before_ms < _ms(each["modification_time"]) <= upto_ms}
        fragments = [each for each in self._table.to_pyarrow_dataset().get_fragments() if _is_of(each.path, files)]
        for fragment in fragments[:MAX_FILES]:
            latest = pc.max(fragment.to_table(columns=[column])[column]).as_py()
            if latest is not None:
                yield _ms(latest)


def tables_in(lake_root: str) -> list[str]:
    """Names of the tables that lie in a local lake, feature tables too; none of a lake in an object store."""
    logs = [path.parent for pattern in ("*", "features/v*/*") for path in Path(lake_root).glob(f"{pattern}/_delta_log")]
    return sorted(str(path.relative_to(lake_root)) for path in logs)


def _adds_rows(entry: Mapping[str, Any]) -> bool:
    metrics = entry.get("operationMetrics") or {}
    counts = [int(metrics[name]) for name in _INSERTED if name in metrics]
    return entry["operation"] in _ADDS and (not counts or any(counts))


def _is_of(path: str, files: set[str]) -> bool:
    return any(path.endswith(name) for name in files)


def _ms(at: datetime | int) -> int:
    return at if isinstance(at, int) else round(at.timestamp() * 1000)
