"""The list as a shop reads it: one JSON document under one Redis key. Format: docs/redis.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

Reasons = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class PublishedList:
    """A user's list with what is needed to judge it: age, origin, identity."""

    items: Sequence[str]  # best first
    scores: Sequence[float]  # same order; comparable within the list only
    as_of_ms: int  # when it was made, epoch ms
    model: str  # version of the model
    source: str  # what it was made from: personal, …
    list_id: str  # the same for the same user, history and model: goes back to us with the clicks it led to
    spare: Sequence[str] = ()  # best first: they move up where an item may not be shown any more
    reasons: Reasons = field(default_factory=dict)  # explore, pin, boost → places in `items`, from 0, put there for it

    def to_json(self) -> bytes:
        """The document, scores rounded to four significant digits: they are for people and ties, not for sums."""
        return orjson.dumps(
            {
                "items": self.items,
                "scores": [float(f"{score:.4g}") for score in self.scores],
                "as_of_ms": self.as_of_ms,
                "model": self.model,
                "source": self.source,
                "list_id": self.list_id,
                **({"spare": self.spare} if self.spare else {}),
                **({"reasons": self.reasons} if self.reasons else {}),
            }
        )

    @classmethod
    def from_json(cls, document: bytes) -> "PublishedList":
        """Read a document. Raises TypeError or orjson.JSONDecodeError when it is none."""
        values = orjson.loads(document)
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})
