"""Writes records to a file, one a line, to be replayed later."""

from pathlib import Path
from types import TracebackType
from typing import Protocol

from pipelines.errors import InputError

BUFFER_BYTES = 1_048_576


class Sendable(Protocol):
    @property
    def value(self) -> bytes: ...


class JsonlSink:
    """`with JsonlSink(path) as sink:` writes values, byte for byte; keys are not kept, a replay finds them again.

    On replay the file is written anew from its beginning: the same records give the same file.
    """

    def __init__(self, path: Path) -> None:
        """Open `path` anew. Raises InputError when that cannot be done."""
        try:
            self._file = path.open("wb", buffering=BUFFER_BYTES)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); give another file") from error

    def send(self, record: Sendable) -> None:
        """Write one line. Raises InputError for a value that has a line feed: it would be two records."""
        if b"\n" in record.value:
            raise InputError("a record with a line feed cannot be written as one line; send it to Kafka instead")
        self._file.write(record.value + b"\n")

    def flush(self) -> None:
        self._file.flush()

    def __enter__(self) -> "JsonlSink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
