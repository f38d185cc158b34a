"""What everybody who makes lists asks first, in one round trip: which model and which catalogue there is."""

from dataclasses import dataclass

from redis import Redis

from pipelines.stores.keys import CATALOGUE_VERSION, MODEL_HEAD


@dataclass(frozen=True)
class Heads:
    """None: there is none yet."""

    lineage: str | None  # see stores/model.py
    catalogue_version: bytes | None  # see stores/catalogue_copy.py


def read_heads(client: Redis) -> Heads:
    """Read both as they are now."""
    lineage, version = (
        value if isinstance(value, bytes) else None for value in client.mget(MODEL_HEAD, CATALOGUE_VERSION)
    )
    return Heads(lineage.decode() if lineage else None, version)
