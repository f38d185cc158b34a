"""For which model and which catalogue all lists were last looked through."""

from dataclasses import dataclass

from redis import Redis

from pipelines.stores.keys import CATALOGUE_VERSION, RENEWED_FOR

TTL_SECONDS = 400 * 24 * 3600


@dataclass(frozen=True)
class RenewalStore:
    """Remembers it beside the lists. Safe to replay: looking through them once more finds the same users."""

    client: Redis

    def now(self, model_version: str | None) -> str:
        """What lists would be looked through for now. `model_version` None: as the last time, for none is in use yet."""
        known = (self.done() or "new").split(" ", maxsplit=1)[0]
        catalogue = self.client.get(CATALOGUE_VERSION)
        return f"{model_version or known} {catalogue.decode() if isinstance(catalogue, bytes) else '-'}"

    def done(self) -> str | None:
        """What they were looked through for; None: never, as in a new shop."""
        stored = self.client.get(RENEWED_FOR)
        return stored.decode() if isinstance(stored, bytes) else None

    def set_done(self, what: str) -> None:
        """They were looked through for `what`."""
        self.client.set(RENEWED_FOR, what, ex=TTL_SECONDS)
