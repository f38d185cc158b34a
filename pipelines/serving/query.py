"""What a request asks for. Parameters that cannot be meant are refused by name, with what is expected."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl

from pipelines.http.refusals import RefusedError

MAX_N = 200
MAX_ID_CHARACTERS = 256
MAX_EXCLUDED = 500
KINDS = ("category", "tag", "brand")
LIST_PARAMETERS = (
    "n",
    "exclude",
    "category",
    "exclude_items",
    "context_item",
    "country",
    "device",
    "details",
    "key",
)
_BETWEEN = re.compile(rf",(?=(?:{'|'.join(KINDS)}):)")  # a comma inside a name divides nothing
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no", "")


@dataclass(frozen=True)
class ListQuery:
    """What the list must and must not have."""

    n: int | None = None  # None: as many as the shop's lists have
    categories: frozenset[str] = frozenset()  # left out, with all below them
    tags: frozenset[str] = frozenset()  # left out
    brands: frozenset[str] = frozenset()  # left out
    category: str | None = None  # only this, and all below it
    items: frozenset[str] = frozenset()  # left out
    context_item: str | None = None  # whose page the list is shown on
    country: str | None = None  # of whoever looks: for the fallbacks
    device: str | None = None
    details: bool = False
    key: str = field(default="", repr=False)

    @property
    def asks_for_facts(self) -> bool:
        """Whether an item's facts decide."""
        return bool(self.categories or self.tags or self.brands or self.category is not None)


@lru_cache(maxsize=4_096)
def parse_query(query: bytes, known: tuple[str, ...] = LIST_PARAMETERS) -> ListQuery:
    """Read a query string. Raises RefusedError (400) with the name of the parameter and what is expected."""
    values = _values_of(query, known)
    excluded = _excluded(values.get("exclude", ()))
    items = frozenset(item for value in values.get("exclude_items", ()) for item in value.split(",") if item)
    if len(items) > MAX_EXCLUDED:
        raise wrong("exclude_items", f"at most {MAX_EXCLUDED} ids, divided by commas", f"{len(items)} ids")
    return ListQuery(
        n=_count(values),
        categories=excluded["category"],
        tags=excluded["tag"],
        brands=excluded["brand"],
        category=_one(values, "category"),
        items=items,
        context_item=_one(values, "context_item", MAX_ID_CHARACTERS),
        country=_one(values, "country", 64),
        device=_one(values, "device", 64),
        details=_flag(values, "details"),
        key=_one(values, "key", 300) or "",
    )


def checked_id(name: str, value: str) -> str:
    """Return an id. Raises RefusedError (400) where it cannot be one."""
    if not 0 < len(value) <= MAX_ID_CHARACTERS or not value.isprintable():
        raise wrong(name, f"an id of 1 to {MAX_ID_CHARACTERS} printable characters", shown(value))
    return value


def wrong(name: str, expected: str, got: str) -> RefusedError:
    return RefusedError(400, "parameter", f"{name}: expected {expected}, got {got}")


def shown(value: str) -> str:
    return repr(value[:60])


def _values_of(query: bytes, known: tuple[str, ...]) -> Mapping[str, list[str]]:
    values: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=600)
    except ValueError as error:
        raise RefusedError(
            400, "parameter", f"the query cannot be read: expected UTF-8, percent-encoded ({error})"
        ) from error
    for name, value in pairs:
        if name not in known:
            raise RefusedError(400, "parameter", f"{shown(name)} is no parameter; known: {', '.join(known)}")
        values.setdefault(name, []).append(value)
    return values


def _one(values: Mapping[str, list[str]], name: str, most: int = 1_000) -> str | None:
    given = values.get(name)
    if not given:
        return None
    if len(given) > 1:
        raise wrong(name, "one value", f"{len(given)}")
    if not 0 < len(given[0]) <= most:
        raise wrong(name, f"1 to {most} characters", f"{len(given[0])}")
    return given[0]


def _count(values: Mapping[str, list[str]]) -> int | None:
    given = _one(values, "n")
    if given is None:
        return None
    if not re.fullmatch(r"[0-9]{1,4}", given) or not 1 <= int(given) <= MAX_N:
        raise wrong("n", f"a whole number from 1 to {MAX_N}", shown(given))
    return int(given)


def _flag(values: Mapping[str, list[str]], name: str) -> bool:
    given = values.get(name, ["false"])[-1].lower()
    if given not in _YES + _NO:
        raise wrong(name, "true or false", shown(given))
    return given in _YES


def _excluded(given: list[str] | tuple[str, ...]) -> dict[str, frozenset[str]]:
    excluded: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for text in given:
        for part in _BETWEEN.split(text):
            kind, _, name = part.partition(":")
            if kind not in KINDS or not name:
                raise wrong("exclude", "category:NAME, tag:NAME or brand:NAME, divided by commas", shown(part))
            excluded[kind].add(name)
    if sum(map(len, excluded.values())) > MAX_EXCLUDED:
        raise wrong("exclude", f"at most {MAX_EXCLUDED} names", "more")
    return {kind: frozenset(names) for kind, names in excluded.items()}
