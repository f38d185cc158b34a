"""Which version of the features the profiles in Redis have."""

from redis import Redis

from pipelines.errors import FeaturesVersionError
from pipelines.stores.keys import FEATURES_VERSION

TTL_SECONDS = 400 * 24 * 3600  # a profile that outlives it still says its version itself


class FeaturesVersionStore:
    """Keeps one number. Safe to replay: the same number is set again."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def read(self) -> int | None:
        """The version that the profiles have; None where nobody has said it."""
        value = self._client.get(FEATURES_VERSION)
        return int(value) if isinstance(value, bytes) else None

    def set(self, version: int) -> None:
        """Say that the profiles have `version` from now on: when they are rebuilt."""
        self._client.set(FEATURES_VERSION, version, ex=TTL_SECONDS)

    def claim(self, version: int) -> None:
        """Say that profiles of `version` will be written; the first one decides.

        Raises FeaturesVersionError when the profiles have another version. A rebuild changes it.
        """
        if not self._client.set(FEATURES_VERSION, version, ex=TTL_SECONDS, nx=True) and self.read() != version:
            raise FeaturesVersionError(
                f"the profiles in Redis have features version {self.read()}, the definitions are version {version}: "
                "`liveshelf rebuild_profiles` makes them anew"
            )
        self._client.expire(FEATURES_VERSION, TTL_SECONDS)
