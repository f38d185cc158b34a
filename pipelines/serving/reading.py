"""A user's own list: from Redis, or as it was when Redis was last seen."""

from dataclasses import dataclass

from pipelines.lists.document import PublishedList
from pipelines.logs.log import log
from pipelines.serving.contact import AwayError, Contact
from pipelines.serving.following import Following
from pipelines.serving.metrics import Metrics
from pipelines.serving.recent import Recent
from pipelines.stores.keys import CATALOGUE_VERSION, SERVING_MODE, list_key
from pipelines.stores.serving_mode import ServingMode


@dataclass(frozen=True)
class Found:
    """What is known of a user's list."""

    published: PublishedList | None
    is_remembered: bool = False  # Redis was away: it may have a newer one, or none


class Reader:
    """Reads list, catalogue version and serving mode by one MGET. Never raises for want of Redis."""

    def __init__(self, contact: Contact, following: Following, n_remembered: int, metrics: Metrics) -> None:
        self._contact, self._following, self._metrics = contact, following, metrics
        self._remembered: Recent[str, bytes] = Recent(n_remembered)
        self.mode = ServingMode()

    @property
    def n_remembered(self) -> int:
        return len(self._remembered)

    async def read(self, user: str) -> Found:
        """The user's list; the catalogue is then at least as new as it."""
        try:
            document, version, mode = await self._contact.read((list_key(user), CATALOGUE_VERSION, SERVING_MODE))
        except AwayError:
            return self._from_memory(user)
        await self._took(version, mode)
        return self._from_redis(user, document)

    async def read_many(self, users: list[str]) -> list[Found]:
        """The same of several users."""
        try:
            keys = [*map(list_key, users), CATALOGUE_VERSION, SERVING_MODE]
            *documents, version, mode = await self._contact.read(keys)
        except AwayError:
            return [self._from_memory(user) for user in users]
        await self._took(version, mode)
        return [self._from_redis(user, document) for user, document in zip(users, documents, strict=True)]

    async def refresh(self) -> None:
        """Learn mode and catalogue, for an answer that is nobody's own."""
        try:
            await self._took(*await self._contact.read((CATALOGUE_VERSION, SERVING_MODE)))
        except AwayError:
            return

    async def _took(self, version: bytes | None, mode: bytes | None) -> None:
        before, self.mode = self.mode, ServingMode.from_bytes(mode)
        if self.mode.mode != before.mode:
            log.warning("serving_changed", mode=self.mode.mode)
        if version != self._following.copy.version and not await self._following.reach(version):
            self._metrics.behind.inc()

    def _from_redis(self, user: str, document: bytes | None) -> Found:
        if document is None:
            self._remembered.forget(user)
            return Found(None)
        self._remembered.put(user, document)
        return Found(self._parsed(document))

    def _from_memory(self, user: str) -> Found:
        document = self._remembered.get(user)
        return Found(self._parsed(document) if document else None, is_remembered=True)

    def _parsed(self, document: bytes) -> PublishedList | None:
        try:
            return PublishedList.from_json(document)
        except (ValueError, TypeError, AttributeError):
            self._metrics.unreadable.inc()
            return None
