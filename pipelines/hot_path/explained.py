"""A user's list explained, from what is in Redis now: the same reads, the same functions as the stage that made it."""

import time
from dataclasses import dataclass

import numpy as np

from pipelines.features.decay import decay_factor
from pipelines.features.profile import Profiles, key_code, key_time_s
from pipelines.features.profile_bytes import decode
from pipelines.features.shown import ITEM_MASK, Shown, decode_shown
from pipelines.hot_path.ranked import asked_of, event_ids
from pipelines.hot_path.worker import StageSettings, Worker
from pipelines.lists.document import PublishedList
from pipelines.lists.explanation import ExplainedItem, explained
from pipelines.models.items import HOUR_S, weights_of_codes
from pipelines.schemas import INTERACTION_CODES

_NAME_OF_CODE = {code: name for name, code in INTERACTION_CODES.items()}


@dataclass(frozen=True)
class Interaction:
    """Something the user did, and what it still weighs."""

    time_s: int
    event_type: str
    item_id: str
    weight: float  # as the model takes it: by type, decayed


@dataclass(frozen=True)
class ExplainedList:
    """From events to the list."""

    published: PublishedList | None  # as the shop reads it; None: there is none
    model: str  # what is in use now
    n_interactions: int
    interactions: list[Interaction]  # the newest, newest first
    bought_before: list[str]  # items of purchases below those
    shown: list[tuple[str, int]]  # items shown since the user last touched them, and how often
    items: list[ExplainedItem]  # as a list would be made now, then what is not in it; empty while there is no model
    causes: dict[int, str]  # item hash → name, of what the items owe to


def explain_list(settings: StageSettings, worker: Worker, user: str, n_more: int) -> ExplainedList | None:
    """None: nothing is known of the user."""
    model = worker.current_model()
    (stored,), (shown_value,) = worker.users.read_with_shown([user], [user])
    (document,) = worker.users.read_lists([user])
    if stored is None:
        return None
    profile, shown, now_s = decode([stored]), decode_shown([shown_value]), time.time()
    published = PublishedList.from_json(document) if document else None
    one = np.zeros(1, np.int64)
    ids = [published.list_id] if published else event_ids(settings, profile, one)
    context = np.zeros((1, len(settings.model.context_fields)), np.uint64)
    maker = worker.shop.list_maker(model, now_s)
    assortment = maker.shop.assortment
    names = dict(zip(assortment.item.tolist(), assortment.item_id.tolist(), strict=True))
    asked = asked_of(maker, profile, one, context, ids, shown, now_s)
    return ExplainedList(
        published,
        worker.model_version,
        int(profile.n_interactions[0]),
        _interactions(settings, profile, names),
        [_named(item, names) for item in profile.bought_item.tolist()],
        _shown(shown, names),
        explained(maker, asked, n_more) if model.n_items else [],
        names,
    )


def _interactions(settings: StageSettings, profile: Profiles, names: dict[int, str]) -> list[Interaction]:
    code, time_s = key_code(profile.key), key_time_s(profile.key)
    half_life_s = settings.model.factorization.history_half_life_hours * HOUR_S
    weight = weights_of_codes(settings.model)[code] * decay_factor(profile.as_of_s[0] - time_s, half_life_s)
    columns = (time_s.tolist(), code.tolist(), profile.item.tolist(), weight.tolist())
    rows = [
        Interaction(at, _NAME_OF_CODE.get(kind, f"code {kind}"), _named(item, names), value)
        for at, kind, item, value in zip(*columns, strict=True)
    ]
    return rows[::-1]


def _shown(shown: Shown, names: dict[int, str]) -> list[tuple[str, int]]:
    by_low_bits = {item & int(ITEM_MASK): name for item, name in names.items()}
    pairs = zip(shown.item.tolist(), shown.count.tolist(), strict=True)
    return [(by_low_bits.get(item, f"{item:07x}"), count) for item, count in pairs if count][::-1]


def _named(item: int, names: dict[int, str]) -> str:
    """Its id, where model or catalogue know it."""
    return names.get(item, f"{item:016x}")
