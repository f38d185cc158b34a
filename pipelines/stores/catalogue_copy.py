"""A copy of the catalogue in the memory of whoever makes or serves lists: kept up to date by its version."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from redis import Redis

from pipelines.catalogue.arrays import CatalogueArrays
from pipelines.catalogue.document import from_document, shows_available
from pipelines.catalogue.item import CatalogueItem
from pipelines.stores.keys import CATALOGUE_CHANGES, CATALOGUE_HELD, CATALOGUE_ITEMS, CATALOGUE_VERSION

MOST_BEHIND = 1_000  # steps of the stream beyond which reading everything is as quick
CHUNK = 1_000


class CatalogueCopy:
    """The whole catalogue. One thread at a time may call `catch_up`.

    Whoever reads a list reads CATALOGUE_VERSION in the same MGET and calls `catch_up` with it: then the copy has every change
    whose write returned before that read began. An item that it does not have is available, and nothing is known of it.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._version: bytes | None = None
        self._documents: dict[str, bytes] = {}
        self._held: dict[str, bytes] = {}
        self._unavailable: set[str] = set()
        self._arrays: CatalogueArrays | None = None
        self._stale: set[str] = set()  # changed since the arrays were made

    def __len__(self) -> int:
        """How many items it has, those that are gone included."""
        return len(self._documents)

    @property
    def version(self) -> bytes | None:
        """The last change in it; None before the first."""
        return self._version

    def catch_up(self, version: bytes | None) -> bool:
        """Take in all changes up to `version`, and maybe later ones; says whether there were any.

        The same version costs one comparison; a few steps one or two round trips; more than is kept of the stream, everything
        again. Where there is no version (no catalogue, or Redis lost it) what is known stays: hidden items must not come back.
        """
        if version == self._version or version is None:
            return False
        changes = self._changes_since(self._version)
        if changes is None:
            self._read_everything()
        else:
            self._read(list(dict.fromkeys(item_id for _, changed in changes for item_id in changed)))
            self._version = changes[-1][0] if changes else self._version
        return changes != []

    def is_unavailable(self, item_id: str) -> bool:
        """Whether the item may not be shown: hidden, sold out, gone, or held by hand."""
        return item_id in self._unavailable

    def get(self, item_id: str) -> CatalogueItem | None:
        """The item as the shop's last record has it, `hidden` where it is held; None where the shop does not sell it.

        Its `updated_ms` is of the first record that said so.
        """
        item = self._told(item_id)
        return replace(item, hidden=True) if item and item_id in self._held else item

    def arrays(self) -> CatalogueArrays:
        """All items as columns; of what is gone, and of a held item without a record, nothing but the id is known.

        The same object until something changes.
        """
        if self._arrays is None:
            self._arrays = CatalogueArrays.of(self._row(item_id) for item_id in {*self._documents, *self._held})
        elif self._stale:
            self._arrays = self._arrays.with_changed(self._row(item_id) for item_id in self._stale)
        self._stale = set()
        return self._arrays

    def _told(self, item_id: str) -> CatalogueItem | None:
        document = self._documents.get(item_id)
        return from_document(item_id, document) if document else None

    def _row(self, item_id: str) -> CatalogueItem:
        item = self._told(item_id) or CatalogueItem(item_id)
        return replace(item, hidden=True) if item_id in self._unavailable else item

    def _changes_since(self, version: bytes | None) -> list[tuple[bytes, list[str]]] | None:
        """(Version, ids) of each step after `version`; None where the stream does not have that step any more."""
        if version is None:
            return None
        entries: Any = self._client.xrange(CATALOGUE_CHANGES, min=version, count=MOST_BEHIND + 1)
        if not entries or entries[0][0] != version or len(entries) > MOST_BEHIND:
            return None
        return [(step, [item_id.decode() for item_id in changed]) for step, changed in entries[1:]]

    def _read(self, item_ids: Sequence[str]) -> None:
        """Read these items: as they are now, which is no older than the step that named them."""
        for first in range(0, len(item_ids), CHUNK):
            chunk = list(item_ids[first : first + CHUNK])
            with self._client.pipeline(transaction=False) as pipe:
                pipe.hmget(CATALOGUE_ITEMS, chunk)
                pipe.hmget(CATALOGUE_HELD, chunk)
                documents, held = pipe.execute()
            for item_id, document, why in zip(chunk, documents, held, strict=True):
                _put(self._documents, item_id, document)
                _put(self._held, item_id, why)
                is_unavailable = why is not None or not (document is None or shows_available(document))
                (self._unavailable.add if is_unavailable else self._unavailable.discard)(item_id)
        self._stale.update(item_ids)

    def _read_everything(self) -> None:
        """Read what is there, bit by bit so as not to block the server. What changes meanwhile has a later version."""
        version = self._client.get(CATALOGUE_VERSION)
        documents, held = dict(self._scanned(CATALOGUE_ITEMS)), dict(self._scanned(CATALOGUE_HELD))
        unavailable = {item_id for item_id, document in documents.items() if not shows_available(document)}
        self._documents, self._held, self._unavailable = documents, held, unavailable | held.keys()
        self._arrays = None
        self._version = version if isinstance(version, bytes) else None

    def _scanned(self, key: str) -> Iterator[tuple[str, bytes]]:
        return ((item_id.decode(), value) for item_id, value in self._client.hscan_iter(key, count=CHUNK))


def _put(values: dict[str, bytes], item_id: str, value: bytes | None) -> None:
    if value is None:
        values.pop(item_id, None)
    else:
        values[item_id] = value
