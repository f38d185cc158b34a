"""What must be true when everything that was sent has gone through."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from redis import Redis

from pipelines.config import Config
from pipelines.features.profile_bytes import decode
from pipelines.sources.tables import interactions_per_user
from pipelines.stores.keys import list_key, profile_key

CHUNK = 2_000


@dataclass(frozen=True)
class Check:
    """One promise, and whether it was kept."""

    promise: str
    is_kept: bool
    found: str


def check_users(config: Config, client: Redis) -> list[Check]:
    """Compare Redis with the Delta table `events`, user by user."""
    counts = interactions_per_user(config.lake_root)
    profiles = dict(zip(counts, _values(client, [profile_key(user) for user in counts]), strict=True))
    folded = decode(list(profiles.values())).n_interactions.tolist()
    known = config.profile.ring_size + config.profile.dedupe_keys  # beyond them a late event may be forgotten
    n_equal = sum(seen == n or (seen < n and n > known) for n, seen in zip(counts.values(), folded, strict=True))

    every = config.lists.refresh_after_interactions
    entitled = [user for user, count in counts.items() if count >= every]
    n_lists = sum(value is not None for value in _values(client, [list_key(user) for user in entitled]))
    return [
        Check("each profile counts what Delta holds", n_equal == len(counts), f"{n_equal:,} of {len(counts):,} users"),
        Check(
            f"a list for each user with {every} interactions",
            n_lists == len(entitled),
            f"{n_lists:,} of {len(entitled):,} users",
        ),
    ]


def check_audits(heartbeat: Mapping[str, Any]) -> Check:
    """Whether Great Expectations itself, on samples beside the stream, counted what the compiled rules counted."""
    n_audits, n_differences, n_errors = (
        int(heartbeat.get(name, 0)) for name in ("n_audits", "n_audit_differences", "n_audit_errors")
    )
    found = f"{n_audits:,} audits, {n_differences:,} differences" + (f", {n_errors:,} failed" if n_errors else "")
    is_kept = n_audits > 0 and n_differences == n_errors == 0
    return Check("Great Expectations counts as the stream does", is_kept, found)


def _values(client: Redis, keys: Iterable[str]) -> list[bytes | None]:
    keys = iter(keys)
    values: list[Any] = []
    while chunk := list(islice(keys, CHUNK)):
        values += client.mget(chunk)
    return values
