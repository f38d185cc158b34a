"""An item as it is kept in Redis: one small JSON document. Format: docs/redis.md."""

from typing import Any

import orjson

from pipelines.catalogue.item import CatalogueItem

_NO_ITEM = CatalogueItem("")
_FIELDS = ("title", "category", "brand", "price", "image", "in_stock", "hidden", "created_ms", "tags")


def to_document(item: CatalogueItem) -> bytes:
    """The item without its id; what it does not say is left out.

    It begins with `updated_ms`, and with `is_available` where that is false: the store reads them there.
    """
    said = {name: getattr(item, name) for name in _FIELDS if getattr(item, name) != getattr(_NO_ITEM, name)}
    return _document(item.updated_ms, item.is_available, said)


def gone_document(updated_ms: int) -> bytes:
    """In the place of an item that the shop does not sell any more."""
    return _document(updated_ms, False, {"gone": True})


def from_document(item_id: str, document: bytes) -> CatalogueItem | None:
    """Read a document; None of an item that is gone. Raises orjson.JSONDecodeError when it is none."""
    said = orjson.loads(document)
    said.pop("is_available", None)
    if said.pop("gone", False):
        return None
    return CatalogueItem(item_id, **said | {"tags": tuple(said.get("tags", ()))})


def shows_available(document: bytes) -> bool:
    """Whether the item may be shown, without reading the document: its texts cannot hold a bare quotation mark."""
    return b'"is_available":false' not in document


def _document(updated_ms: int, is_available: bool, said: dict[str, Any]) -> bytes:
    return orjson.dumps({"updated_ms": updated_ms, **({} if is_available else {"is_available": False}), **said})
