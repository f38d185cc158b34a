"""The last lists for everybody, in a file: what is served when Redis is away and nothing is remembered.

    {"by": "liveshelf", "as_of_ms": 1767225600000, "lists": {"all": ["mug-1", …], "category:Shoes": […]}}

The service writes it anew every few minutes while Redis answers. A file without `by` is the shop's own: it is read, and never
overwritten; `{"items": ["mug-1", …]}` is enough.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from pipelines.logs.log import log
from pipelines.logs.trouble import Trouble
from pipelines.serving.chain import Fallback

BY = "liveshelf"
REASON = SOURCE = "static"


@dataclass
class StaticFile:
    """Reads and writes the file; a file that is missing or no such file is one without lists."""

    path: Path
    as_of_ms: int | None = None
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_of_the_shop: bool = False
    _read: tuple[int, int] | None = None  # size and time of what was read
    _trouble: Trouble = field(default_factory=lambda: Trouble("static_file_unwritten", "static_file_written"))

    @property
    def is_there(self) -> bool:
        return bool(self.lists)

    def read(self) -> None:
        """Take what the file holds, if it is another than before."""
        try:
            status = self.path.stat()
            if (status.st_size, status.st_mtime_ns) == self._read:
                return
            self._read = status.st_size, status.st_mtime_ns
            said = orjson.loads(self.path.read_bytes())
            lists = _checked(said)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            log.warning("static_file_unusable", file=str(self.path), error=error)
            return
        self.lists, self.is_of_the_shop = lists, said.get("by") != BY
        as_of_ms = said.get("as_of_ms")
        self.as_of_ms = as_of_ms if isinstance(as_of_ms, int) else status.st_mtime_ns // 1_000_000

    def write(self, lists: Mapping[str, Sequence[str]], as_of_ms: int | None) -> None:
        """Put `lists` in the place of the file, at once and as a whole. Safe to replay. The shop's own file stays."""
        self.read()
        if self.is_of_the_shop or not lists:
            return
        value = orjson.dumps({"by": BY, "as_of_ms": as_of_ms or time.time_ns() // 1_000_000, "lists": lists})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._replace_by(value)
        except OSError as error:
            self._trouble.failed(error, file=str(self.path))
            return
        self._trouble.over(file=str(self.path))
        self.read()

    def _replace_by(self, value: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self.path.parent, prefix=".lists-", delete=False) as file:
            written = Path(file.name)
            try:
                file.write(value)
                file.flush()
                written.chmod(0o644)  # temporary files are the owner's alone
                written.replace(self.path)
            except OSError:
                written.unlink(missing_ok=True)  # a full disk must not fill with what did not fit
                raise

    def of(self, segments: Sequence[str]) -> list[Fallback]:
        """The lists of the segments that the file has, in this order."""
        return [
            Fallback(SOURCE, REASON, self.lists[segment], self.as_of_ms, f"{SOURCE}-{self.as_of_ms or 0}", "")
            for segment in segments
            if segment in self.lists
        ]


def _checked(said: Any) -> dict[str, list[str]]:
    if not isinstance(said, dict):
        raise ValueError("it is no object")
    lists = said.get("lists", {"all": said.get("items")})
    if not isinstance(lists, dict) or not all(_is_list_of_ids(items) for items in lists.values()):
        raise ValueError("`lists` holds something else than lists of ids")
    return lists


def _is_list_of_ids(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)
