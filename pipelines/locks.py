"""One process at a time: a file lock that the system releases even after kill -9."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; wait while another process, or another thread of this one, holds it.

    A thread that holds it may take it again. The file stays: deleting it would let two processes lock two different files
    of the same name. Raises OSError on a disk that knows no `flock`: a lock that outlives its holder would be worse.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path, is_singleton=True, fallback_to_soft=False):
        yield
