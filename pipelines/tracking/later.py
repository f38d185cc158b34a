"""Opens the registry when it is first asked for: MLflow takes two seconds to import, and its server may be away."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines.sections import TrackingConfig

if TYPE_CHECKING:
    from pipelines.tracking.registry import Registry

_IMPORTING = threading.Lock()


def registry_later(config: TrackingConfig) -> Callable[[], "Registry"]:
    """What `OnlineSnapshots` and `ChampionWatch` call in their threads. It raises ServerError when MLflow does not answer."""

    def open_registry() -> "Registry":
        with _IMPORTING:  # two threads that import it at once would see half of it
            from pipelines.tracking.registry import Registry
        return Registry.open(config)

    return open_registry
