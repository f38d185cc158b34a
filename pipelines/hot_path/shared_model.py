"""One copy of the model's large arrays for all workers of an application on a machine, in memory that they map.

Nobody reads while somebody writes: the driver publishes the patch of a micro-batch when all tasks of it have ended, and tasks
take it in before anything else (this needs spark.speculation off). One worker writes it, under a lock; the others find its
batch id in the header, which is written last. A patch says what rows are, not by how much they change, so one that was
killed half-way is mended by the next worker, who writes all of it again.

A file of arrays is complete or not there: it is made under another name. A later one (columns moved, or no spare rows left)
takes its place, and who has the former mapped keeps it until then. Whoever maps a file holds a shared `flock` on it, which
ends with the process, so what nobody holds is of a dead application and is removed by the next that makes one.
"""

import errno
import fcntl
import json
import mmap
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.models.arrays import Arrays
from pipelines.models.ranker import Ranker

SHARED_MEMORY = Path("/dev/shm")
HEADER_BYTES, BATCH_ID_BYTES, ALIGNMENT = 8_192, 8, 64


class SharedModel:
    """The place on this machine where the workers of `application` share a model.

    `settle` and `patch` raise OSError when the folder is full, not writable or somebody else's; what is there stays as it is.
    """

    def __init__(self, folder: str, application: str) -> None:
        self.folder = folder_of_user(folder)
        self._path = self.folder / f"{application}.model"
        self._mapped: MappedArrays | None = None

    def settle(self, model: Ranker, lineage: str, batch_id: int) -> None:
        """Let a model that was just loaded go on in the shared arrays; make them from its own when there are none for it."""
        self._mapped = None
        with self._locked():
            if not self._is_on_current(model, lineage, batch_id):
                self._make(model, lineage, since=batch_id, batch_id=batch_id)

    def patch(self, model: Ranker, patch: bytes, lineage: str, batch_id: int) -> bool:
        """Take in the patch of `batch_id`, all before it being in. False: the shared arrays went on without this model."""
        with self._locked():
            if not self._is_on_current(model, lineage, batch_id - 1):
                return False
            mapped = self._mapped
            assert mapped is not None
            if mapped.batch_id < batch_id:
                model.patch(patch)
                if mapped.has(model.arrays()):
                    mapped.batch_id = batch_id
                else:  # there were more new items than spare rows
                    self._make(model, lineage, since=mapped.since, batch_id=batch_id)
                return True
        model.patch(patch, but_arrays=True)
        return True

    def remove(self) -> None:
        """Forget the arrays: the application ends. Workers that still have them mapped keep them."""
        with suppress(OSError), self._locked():
            self._path.unlink(missing_ok=True)

    def _is_on_current(self, model: Ranker, lineage: str, batch_id: int) -> bool:
        """Map what is there now, if a model of `batch_id` can follow it."""
        if self._mapped is None or self._mapped.is_replaced(self._path):
            self._mapped = None
            if not self._path.exists():
                return False
            mapped = MappedArrays(self._path)
            if not mapped.serves(lineage, batch_id):
                return False
            model.use(mapped.arrays)
            self._mapped = mapped
        return True

    def _make(self, model: Ranker, lineage: str, since: int, batch_id: int) -> None:
        self._remove_unused()
        write_arrays(self._path, model.arrays(), lineage=lineage, since=since, batch_id=batch_id)
        self._mapped = MappedArrays(self._path)
        model.use(self._mapped.arrays)

    def _remove_unused(self) -> None:
        """What dead applications left, and what was made half. Who makes or maps a file has the lock, as we do."""
        for path in self.folder.glob("*.model*"):
            with suppress(BlockingIOError, FileNotFoundError), path.open("rb") as file:
                if path != self._path:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time. The system wakes who waits; `filelock` would look every 50 ms."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.folder.lstat().st_uid != os.getuid():
            raise PermissionError(errno.EACCES, "it belongs to somebody else", str(self.folder))
        with (self.folder / "lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class MappedArrays:
    """A file of arrays, mapped: what one process writes all others see."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b")
        fcntl.flock(self._file, fcntl.LOCK_SH)
        memory = mmap.mmap(self._file.fileno(), 0)
        about = json.loads(memory[BATCH_ID_BYTES:HEADER_BYTES])
        self._batch_id = np.ndarray((), np.int64, memory)
        self.lineage, self.since = about["lineage"], int(about["since"])
        self.arrays: Arrays = {
            name: np.ndarray(shape, dtype, memory, offset) for name, dtype, shape, offset in about["arrays"]
        }

    @property
    def batch_id(self) -> int:
        """The last step that is in the arrays, whole."""
        return int(self._batch_id)

    @batch_id.setter
    def batch_id(self, batch_id: int) -> None:
        self._batch_id[...] = batch_id

    def serves(self, lineage: str, batch_id: int) -> bool:
        """Whether a model of that step has the same columns, and the arrays are as far."""
        return lineage == self.lineage and self.since <= batch_id <= self.batch_id

    def has(self, arrays: Mapping[str, Any]) -> bool:
        """Whether a model's arrays are these."""
        return all(array is self.arrays[name] for name, array in arrays.items())

    def is_replaced(self, path: Path) -> bool:
        try:
            return path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return True


def write_arrays(path: Path, arrays: Arrays, *, lineage: str, since: int, batch_id: int) -> None:
    """Make the file that `MappedArrays` maps, of arrays with their spare rows; it takes the place of one that was there.

    It is written rather than mapped: where there is no room, that is an OSError and not a SIGBUS.
    """
    end, places = HEADER_BYTES, []
    for name, array in arrays.items():
        places.append((name, array.dtype.str, array.shape, end))
        end += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    about = json.dumps({"lineage": lineage, "since": since, "arrays": places}).encode()
    header = batch_id.to_bytes(BATCH_ID_BYTES, "little", signed=True) + about
    if len(header) > HEADER_BYTES:
        raise ValueError(
            f"the header of the shared arrays has {len(header):,} bytes, expected {HEADER_BYTES:,} at most"
        )
    new = path.with_suffix(".model.new")
    try:
        with new.open("wb") as file:
            file.write(header.ljust(HEADER_BYTES))
            for array in arrays.values():
                file.write(np.ascontiguousarray(array).data)
                file.write(bytes(-array.nbytes % ALIGNMENT))
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def folder_of_user(folder: str) -> Path:
    """Where to share: `folder`, of "auto" /dev/shm where there is one, else the temp folder; in a folder of the user alone."""
    root = Path(folder)
    if folder == "auto":
        root = SHARED_MEMORY if SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())
    return root / f"liveshelf-{os.getuid()}"
