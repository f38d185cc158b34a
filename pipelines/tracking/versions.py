"""What is known of a version of the model. Needs no MLflow, which takes seconds to import."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
LOW, HIGH = "_low", "_high"  # what the bounds of a metric's interval are called after it
Kind = Literal["trained", "online"]


@dataclass(frozen=True)
class Origin:
    """What a version is made of: its tags."""

    kind: Kind  # of a finished training, or learned from the stream
    features_version: int
    n_items: int
    as_of_s: int  # second of the newest event in it, UTC
    parent: int | None = None  # the version it learned on from
    batch_id: int | None = None  # the last micro-batch in it
    offsets: Mapping[str, int] | None = None  # partition → one past the last Kafka offset in it

    def tags(self, data: bytes) -> dict[str, str]:
        """As MLflow keeps them, with the digest of the bytes; what is None is left out."""
        as_of = datetime.fromtimestamp(self.as_of_s, timezone.utc).isoformat()
        values = {**vars(self), "as_of": as_of, "data_sha256": hashlib.sha256(data).hexdigest()}
        del values["as_of_s"]
        if self.offsets is not None:
            values["offsets"] = json.dumps(dict(self.offsets))
        return {name: str(value) for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Version:
    """A version as the registry knows it."""

    number: int
    run_id: str
    created_ms: int
    tags: Mapping[str, str]
    aliases: tuple[str, ...]

    @property
    def parent(self) -> int | None:
        return int(self.tags["parent"]) if "parent" in self.tags else None
