"""How many versions are kept of those that are made every half hour."""

from typing import TYPE_CHECKING

from pipelines.tracking.versions import Version

if TYPE_CHECKING:
    from pipelines.tracking.registry import Registry


def delete_old_online(registry: "Registry", n_kept: int) -> list[Version]:
    """Delete versions learned from the stream, with their artifacts: all but the `n_kept` newest and those with an alias.

    Versions of a training are never deleted. Aliases are asked for again right before each: a promotion in between is seen.
    Returns what was deleted.
    """
    nameless = [each for each in registry.versions() if each.tags.get("kind") == "online" and not each.aliases]
    deleted = []
    for version in nameless[n_kept:]:
        if not registry.version(version.number).aliases:
            registry.delete(version)
            deleted.append(version)
    return deleted
