"""Lines of a log on disk: a file, plain or gzip, or a folder of such files in the order of their names."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from pipelines.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LogLines:
    """Iterates over lines without line feed, headers and empty lines left out; never holds a whole file.

    `bytes_read` of `total_bytes` says how far it is, counted on disk (compressed).
    Raises InputError for a missing path, a folder without files, a header other than `header`, a damaged gzip file.
    """

    def __init__(self, path: Path, header: bytes | None = None) -> None:
        self._header = header
        self._files = _files(path)
        self.total_bytes = sum(file.stat().st_size for file in self._files)
        self._bytes_before = 0
        self._open: BinaryIO | None = None

    @property
    def bytes_read(self) -> int:
        return self._bytes_before + (self._open.tell() if self._open else 0)

    def __iter__(self) -> Iterator[bytes]:
        self._bytes_before = 0
        for file in self._files:
            with file.open("rb") as opened:
                self._open = opened
                try:
                    yield from self._lines(file, opened)
                finally:  # also when the reader stops in the middle
                    self._bytes_before, self._open = self.bytes_read, None

    def _lines(self, file: Path, opened: BinaryIO) -> Iterator[bytes]:
        try:
            lines = _unzipped(opened)
            if self._header is not None:
                _check_header(file, next(iter(lines), b""), self._header)
            for line in lines:
                if line.strip():
                    yield line.removesuffix(b"\n")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"{file}: the gzip file is damaged or cut ({error}); get it again") from error
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror or error})") from error


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; expected a log, plain or .gz, or a folder of them")
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise InputError(f"{path}: expected a folder of logs, got an empty one")
    return files


def _unzipped(opened: BinaryIO) -> BinaryIO:
    """Told by content: a file may be gzip whatever its name is."""
    magic = opened.read(len(GZIP_MAGIC))
    opened.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=opened)) if magic == GZIP_MAGIC else opened


def _check_header(file: Path, got: bytes, expected: bytes) -> None:
    if got.removeprefix(BYTE_ORDER_MARK).rstrip(b"\r\n") != expected:
        came = got[:200].decode(errors="backslashreplace").rstrip("\r\n")
        raise InputError(f"{file}: wrong header for this format\n  expected {expected.decode()}\n  got      {came}")
