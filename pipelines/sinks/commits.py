"""How every sink commits to a Delta table: alone on a local disk, and again where another writer was quicker."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import tenacity
from delta.exceptions import (
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
    DeltaConcurrentModificationException,
    MetadataChangedException,
    ProtocolChangedException,
)
from deltalake.exceptions import CommitFailedError

from pipelines.errors import ConflictError
from pipelines.locks import exclusive

CONFLICTS = (
    DeltaConcurrentModificationException,  # not the parent of the others: in Python they have none in common
    ConcurrentAppendException,
    ConcurrentDeleteDeleteException,
    ConcurrentDeleteReadException,
    ConcurrentTransactionException,
    ConcurrentWriteException,
    MetadataChangedException,
    ProtocolChangedException,
    CommitFailedError,
)
ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.2

_T = TypeVar("_T")


def commit(path: str, write: Callable[[], _T], *, first_pause_seconds: float = FIRST_PAUSE_SECONDS) -> _T:
    """Run `write`, which looks at the table at `path` and commits to it; returns what it returns.

    On a local disk no other process of the project writes that table meanwhile: there Delta's log store excludes only the
    threads of one JVM, and of two processes that commit at once one would lose its commit. An object store refuses the
    second commit itself, so there is no lock.

    Where Delta says that another writer was quicker, `write` runs again from its beginning. It must be safe to repeat, and
    look at the table anew. Raises ConflictError after so many attempts, and at once whatever else `write` raises.
    """
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(CONFLICTS),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(first_pause_seconds, max=30),
        reraise=True,
    )
    try:
        done: _T = attempts(_alone, path, write)
    except CONFLICTS as error:
        raise ConflictError(
            f"{path}: another writer changed the table during each of {ATTEMPTS} attempts to commit; nothing of this commit "
            f"is in it. Let one of the two wait, and start this one again. The last conflict: {_first_line(error)}"
        ) from error
    return done


def lock_file(path: str) -> Path | None:
    """Return the file that whoever writes the table at `path` locks; None on an object store.

    It lies beside the table's folder, where neither Delta nor `VACUUM` looks. It is the same for every spelling of the path.
    """
    url = urlsplit(path)
    if url.scheme not in ("", "file"):
        return None
    folder = Path(os.path.realpath(url2pathname(url.path) if url.scheme else path))
    return folder.parent / f".{folder.name}.lock"


def _alone(path: str, write: Callable[[], _T]) -> _T:
    file = lock_file(path)
    lock: AbstractContextManager[None] = exclusive(file) if file else nullcontext()
    with lock:
        return write()


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
