"""The sections of the configuration about lists: when they are made, what is in them, how they are read."""

from datetime import datetime
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from pipelines.schemas import INTERACTION_TYPES
from pipelines.section import Section

RefreshWeights = dict[str, int]


class Matching(Section):
    """Which items a rule is about: those that fit everything that is given here."""

    items: tuple[str, ...] = Field((), description="these items")
    categories: tuple[str, ...] = Field((), description="items in these categories, or below them")
    brands: tuple[str, ...] = Field((), description="items of these brands")
    tags: tuple[str, ...] = Field((), description="items with one of these tags")

    @model_validator(mode="after")
    def _says_something(self) -> "Matching":
        if not (self.items or self.categories or self.brands or self.tags):
            raise ValueError("expected at least one of items, categories, brands, tags")
        return self


class Dated(Section):
    """From when until when a rule holds; without, always. An instant without a time zone is UTC."""

    since: datetime | None = Field(None, description="holds from this instant on")
    until: datetime | None = Field(None, description="holds before this instant")

    @model_validator(mode="after")
    def _in_order(self) -> "Dated":
        if self.since and self.until and self.since >= self.until:
            raise ValueError("expected since before until")
        return self


class PinConfig(Dated):
    """An item at a fixed place of every list."""

    item: str = Field(min_length=1, description="the item")
    position: int = Field(1, ge=1, le=200, description="its place, 1 being the first")
    categories: tuple[str, ...] = Field(
        (), description="only for users whose newest interactions are mostly in these categories; none: for all"
    )


class BoostConfig(Dated):
    """Items that rank higher, or lower, than the model says."""

    match: Matching = Field(description="the items")
    strength: float = Field(
        ge=-1, le=1, description="share of a list's range of scores that is added: 1 lifts the last above the first"
    )


class RulesConfig(Section):
    """What may be in a list beside what the model says."""

    exclude_purchased: bool = Field(True, description="what the user bought is not shown again")
    repurchased_categories: tuple[str, ...] = Field(
        (), description="but for these categories, and those below them: what is used up is bought again"
    )
    exclude_in_cart: bool = Field(True, description="what lies in the user's cart is not shown")
    fatigue_impressions: int = Field(
        10,
        ge=0,
        le=15,
        description="what was shown so often since the user last touched it is not shown; 0: never mind",
    )
    fatigue_days: float = Field(7.0, gt=0, description="for so long after it was last shown")
    min_price: float | None = Field(None, ge=0, description="cheaper items are not shown")
    max_price: float | None = Field(None, ge=0, description="dearer items are not shown")
    price_band: float | None = Field(
        None, gt=1, description="only items within 1/x and x times the median price of what the user looked at last"
    )
    max_per_category: int | None = Field(None, ge=1, description="items of one category in a list, at most")
    max_per_brand: int | None = Field(None, ge=1, description="items of one brand in a list, at most")
    diversity: float = Field(
        0.0, ge=0, le=1, description="how much an item's likeness to those above it counts against it (MMR's 1 − λ)"
    )
    explore_share: float = Field(0.1, ge=0, le=0.5, description="share of a list's places for trying new items")
    new_item_days: float = Field(14.0, gt=0, description="an item is new for so long after created_at")
    pins: tuple[PinConfig, ...] = ()
    boosts: tuple[BoostConfig, ...] = ()


class ListsConfig(Section):
    """When a user's list is made again, and what it holds."""

    n: int = Field(10, ge=1, le=200, description="items in a list")
    n_spare: int = Field(
        10, ge=0, le=200, description="further items, which move up where one may not be shown any more"
    )
    refresh_after_interactions: int = Field(
        5, ge=1, le=64, description="a list is made again at every so many interactions"
    )
    refresh_weights: RefreshWeights = Field(
        {"purchase": 5},
        description="how many interactions one of a type counts as, 0: none; a type that is not named counts once",
    )
    refresh_after_minutes: float = Field(
        10.0,
        gt=0,
        description="and so long after an interaction that is not in it yet, also when nothing comes any more",
    )
    sweep_seconds: float = Field(5.0, gt=0, description="how often users are looked for whose list is due by time")
    renewals_per_second: float = Field(
        100.0, gt=0, description="lists made again at most for another champion or for items that are gone: no rush"
    )
    renewal_days: float = Field(7.0, gt=0, description="for those, only users active within so many days")
    ttl_days: int = Field(30, ge=1, description="a list disappears so long after it was made")
    log_seconds: float = Field(
        30.0, ge=0, description="how often published lists are filed in the Delta table `lists`; 0: they are not"
    )
    rules: RulesConfig = RulesConfig()

    @field_validator("refresh_weights")
    @classmethod
    def _known_event_types(cls, weights: RefreshWeights) -> RefreshWeights:
        if unknown := sorted(set(weights) - set(INTERACTION_TYPES)):
            raise ValueError(f"{', '.join(unknown)}: not an interaction; known: {', '.join(INTERACTION_TYPES)}")
        if negative := sorted(name for name, weight in weights.items() if not 0 <= weight <= 1_000):
            raise ValueError(f"{', '.join(negative)}: expected a weight from 0 to 1,000")
        return weights

    @property
    def n_kept(self) -> int:
        """Items in the document: those of the list and the spare ones."""
        return self.n + self.n_spare


class CatalogueConfig(Section):
    """The shop's items: where they come from, and how they are written."""

    topic: str = Field("catalogue", description="Kafka topic keyed by item id: an item as JSON, or nothing: it is gone")
    category_separator: str = Field(
        " > ", min_length=1, description="between the parts of a category, in the catalogue and in the events"
    )


class ServingConfig(Section):
    """The HTTP service that lists are read from. Keys of readers: the variable SERVING_KEYS, or `keys_file`."""

    host: str = Field(
        "127.0.0.1", description="address to listen on; 0.0.0.0: all, for a machine behind a load balancer"
    )
    port: int = Field(8381, ge=0, le=65_535, description="port to listen on; 0: a free one, which is told")
    workers: int = Field(1, ge=1, le=64, description="processes that answer; one uses about one core")
    require_key: bool = Field(False, description="true: only who has a key reads lists")
    keys_file: Path | None = Field(
        None,
        description="file of secrets, `reader:key` a line, several of a reader while one is replaced; read at start",
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="origins whose pages may read lists, such as https://shop.example; '*' for all"
    )
    requests_per_minute: int = Field(
        600_000,
        ge=1,
        description="of each key, without keys of each address; more get a 429. Workers share it evenly",
    )
    max_connections: int = Field(2_000, ge=1, description="of one worker; more get a 503")
    fresh_hours: float = Field(24.0, gt=0, description="an older personal list is served flagged as stale")
    hard_limit_hours: float = Field(
        24.0 * 7, gt=0, description="a list older than this is never served as personal, wherever it comes from"
    )
    redis_timeout_ms: int = Field(
        100,
        ge=5,
        le=10_000,
        description="a read that takes longer is given up: the answer comes from memory, or the file",
    )
    probe_seconds: float = Field(
        0.5, gt=0, le=60, description="while Redis is away, only a probe asks for it, so often; requests do not wait"
    )
    remembered_lists: int = Field(
        20_000, ge=0, description="personal lists that a worker remembers for when Redis is away; some 2 KB each"
    )
    fallback_seconds: float = Field(5.0, gt=0, description="lists for everybody are read again after so long")
    static_file: Path = Field(
        Path(".liveshelf/static/lists.json"), description="the last lists for everybody, for when Redis is away"
    )
    static_seconds: float = Field(300.0, gt=0, description="how often the service writes that file anew")
    similar: bool = Field(
        True,
        description="whether similar items come from the model, which then takes memory; else they are the trending ones",
    )
    similar_seconds: float = Field(
        300.0, gt=0, description="the model for similar items is looked at again after so long"
    )
    similar_max_bytes: int = Field(
        536_870_912, ge=1_000_000, description="a larger model is not read for similar items: trending ones stand in"
    )
    log_impressions: bool = Field(
        False,
        description="send an `impression` for every item that is answered; the tracker's own are better: they were seen",
    )
    status_page: bool | None = Field(
        None,
        description="whether /status shows the state of everything; without: where only this machine reaches `host`",
    )
    max_pending_impressions: int = Field(20_000, ge=1, description="that wait for Kafka, a worker; more are dropped")

    @model_validator(mode="after")
    def _stale_before_gone(self) -> "ServingConfig":
        if self.fresh_hours > self.hard_limit_hours:
            raise ValueError("fresh_hours must not be more than hard_limit_hours")
        return self
