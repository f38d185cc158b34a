"""Every Redis key, once. Braces are the cluster hash tag: all keys of a user lie in one slot."""


def profile_key(user: str) -> str:
    return f"profile:{{{user}}}"


def user_of(key: str) -> str:
    """Give the user of a `profile_key`."""
    return key.removeprefix("profile:{").removesuffix("}")


def list_key(user: str) -> str:
    return f"list:{{{user}}}"


def user_of_list(key: str) -> str:
    """Give the user of a `list_key`."""
    return key.removeprefix("list:{").removesuffix("}")


def shown_key(user: str) -> str:
    """How often which item was shown to the user: an own key, in the slot of the profile."""
    return f"shown:{{{user}}}"


CATALOGUE_ITEMS = "{catalogue}:items"  # hash: item id → JSON
CATALOGUE_HELD = "{catalogue}:held"  # hash: item id → why it is hidden by hand, JSON
CATALOGUE_UNAVAILABLE = "{catalogue}:unavailable"  # set of item ids that may not be shown
CATALOGUE_CHANGES = "{catalogue}:changes"  # stream of what changed
CATALOGUE_VERSION = "{catalogue}:version"  # id of the last change: whoever has it has all
SERVING_MODE = "serving:mode"  # whether personal lists are served at all
FRESHNESS = (
    "{serving:mode}:freshness"  # what check_freshness remembers; in the slot of the mode, for both change in one step
)
RENEWED_FOR = "renewal:done"  # the model and the catalogue that lists were last looked through for
LIST_LOG_PLAN = "list_log:plan"  # which part of the logs is being filed
FEATURES_VERSION = "profiles:features_version"  # of the definitions that all profiles were folded by
REBUILD_PLAN = "{rebuild}:plan"  # what rebuild_profiles is at
REBUILD_SLICES = "{rebuild}:slices"  # which slices of the users it has done
MODEL_HEAD = "model:v2:head"  # the lineage in use; the version is that of snapshots and patches


def snapshot_key(lineage: str) -> str:
    return f"model:{{{lineage}}}:snapshot"


def good_key(lineage: str) -> str:
    return f"model:{{{lineage}}}:good"


def patches_key(lineage: str) -> str:
    return f"model:{{{lineage}}}:patches"


def heartbeat_key(job: str) -> str:
    return f"heartbeat:{job}"


def outcome_key(job: str) -> str:
    """How a job that ends has ended."""
    return f"outcome:{job}"


def history_key(job: str) -> str:
    """What figures were: of a stream a point a minute, of a job that ends a point a run. A stream of Redis."""
    return f"history:{job}"


def rank_key(name: str) -> str:
    return f"rank:{{{name}}}"


def rank_about_key(name: str) -> str:
    return f"rank:{{{name}}}:about"


def rank_next_key(name: str) -> str:
    """Where a rank is filled before it takes its place: RENAME needs both in one slot."""
    return f"rank:{{{name}}}:next"


def explore_key(segment: str) -> str:
    """How items did where they were shown to a segment."""
    return f"explore:{{{segment}}}"


def fallback_key(segment: str) -> str:
    return f"fallback:{{{segment}}}"


def due_key(shard: int) -> str:
    """Users of a shard whose list is due by time: a sorted set by when, epoch ms."""
    return f"due:{{{shard}}}"


def renewal_key(shard: int) -> str:
    """Users of a shard whose list is to be made again at leisure: a sorted set, the least first."""
    return f"renewal:{{{shard}}}"


def claimed_key(kind: str, shard: int) -> str:
    """Users of one of these that somebody is making lists for: a sorted set by when the claim ends."""
    return f"{kind}:{{{shard}}}:claimed"


def list_log_key(number: int) -> str:
    """Lists that were published and are not filed yet: a stream."""
    return f"list_log:{{{number}}}"
