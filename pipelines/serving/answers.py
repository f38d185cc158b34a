"""Answers as JSON, with a tag by which an unchanged one is known again."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import orjson

from pipelines.catalogue.item import CatalogueItem
from pipelines.serving.chain import Answer, age_ms
from pipelines.serving.sieve import Catalogue


def document(answer: Answer) -> dict[str, Any]:
    """All of an answer but its age, which differs from second to second."""
    return {
        "items": answer.items,
        "list_id": answer.list_id,
        "as_of": _iso(answer.as_of_ms),
        "source": answer.source,
        "stale": answer.is_stale,
        "model_version": answer.model,
    }


def tagged(told: Mapping[str, Any], answer: Answer, now_ms: int) -> tuple[bytes, str]:
    """The JSON with the age in it, and a weak ETag of all else."""
    core = orjson.dumps(told)
    age = b"null" if answer.as_of_ms is None else b"%.3f" % (age_ms(answer.as_of_ms, now_ms) / 1000)
    tag = f'W/"{hashlib.blake2b(core, digest_size=9).hexdigest()}"'
    return core[:-1] + b',"age_seconds":' + age + b"}", tag


def is_known(tag: str, if_none_match: str) -> bool:
    """Whether the header If-None-Match names the tag. Weak comparison, as RFC 9110 asks for."""
    bare = tag.removeprefix("W/")
    return any(part.strip().removeprefix("W/") in ("*", bare) for part in if_none_match.split(","))


def add_details(answer: Answer, catalogue: Catalogue) -> None:
    """Say of each item what the catalogue knows."""
    for told in answer.items:
        if item := catalogue.get(told["item_id"]):
            told.update(_facts(item))


def _facts(item: CatalogueItem) -> dict[str, Any]:
    facts = {name: getattr(item, name) for name in ("title", "price", "image", "brand", "category")}
    return {name: value for name, value in facts.items() if value is not None}


def _iso(as_of_ms: int | None) -> str | None:
    if as_of_ms is None:
        return None
    try:
        instant = datetime.fromtimestamp(as_of_ms / 1000, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
