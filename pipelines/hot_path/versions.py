"""What the learner asks of a model registry; none of it may hold up a micro-batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Promoted:
    """A version that was made champion."""

    version: str
    model: bytes


class Champions(Protocol):
    """Watches which version is champion."""

    def take(self, version: str | None, /) -> Promoted | None:
        """The champion, fetched already, when it is not `version`. Returns at once."""
        ...


class Archive(Protocol):
    """Keeps what was learned online, as versions."""

    def is_due(self) -> bool:
        """Whether it is time for the next one."""
        ...

    def offer(self, model: bytes, about: Mapping[str, Any], /) -> None:
        """Take a model to be kept. Returns at once, and never raises."""
        ...


class NoRegistry:
    """Neither watches nor keeps."""

    def take(self, _version: str | None, /) -> Promoted | None:
        return None

    def is_due(self) -> bool:
        return False

    def offer(self, _model: bytes, _about: Mapping[str, Any], /) -> None:
        pass
