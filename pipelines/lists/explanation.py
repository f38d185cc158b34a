"""Why a list is what it is: what each of its items owes to the user's history, and what kept others out.

By the functions that make lists, and no others: candidates, filters and order are asked of the `ListMaker`.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.features.profile import Words
from pipelines.lists.filters import excluded_pairs
from pipelines.lists.making import REASONS, Asked, ListMaker
from pipelines.lists.sieve import is_out_of_band
from pipelines.models.influence import influences

MOST_CAUSES = 2  # items of the history that are named for an item


@dataclass(frozen=True)
class ExplainedItem:
    """An item that is in the list, or that the model would have put there."""

    item_id: str
    rank: int  # by the model alone, from 1; 0: it does not know the item
    score: float  # of the model; NaN where it does not know the item
    position: int  # in the list, from 1, the spare items after the others; 0: it is not in it
    why: str  # model, explore, pin, boost; of one that is not in the list what kept it out
    because: tuple[tuple[int, float], ...]  # (item hash of the history, what it adds to the score), the most first


def explained(maker: ListMaker, asked: Asked, n_more: int) -> list[ExplainedItem]:
    """The list of the one user in `asked`, place by place, then the `n_more` best of the model that are not in it."""
    made, assortment = maker.make(asked), maker.shop.assortment
    scores = maker.ranker.score(asked.histories)[0].astype(np.float64)
    order = np.argsort(-scores, kind="stable")
    rank = np.empty(len(scores), np.int64)
    rank[order] = np.arange(1, len(scores) + 1)

    listed = [place for place in made.place[0].tolist() if place >= 0]
    others = [place for place in order.tolist() if place not in set(listed)][:n_more]
    known = np.array([place for place in (*listed, *others) if place < len(scores)], np.int64)
    items, parts = influences(maker.ranker, asked.histories, known)
    because = {place: _most(items, parts[:, i]) for i, place in enumerate(known.tolist())}
    reason = dict(zip(made.place[0].tolist(), made.reason[0].tolist(), strict=True))

    def one(place: int, position: int) -> ExplainedItem:
        is_known = place < len(scores)
        why = REASONS.get(reason[place], "model") if position else why_not(maker, asked, place)
        return ExplainedItem(
            str(assortment.item_id[place]),
            int(rank[place]) if is_known else 0,
            float(scores[place]) if is_known else float("nan"),
            position,
            why,
            because.get(place, ()),
        )

    in_list = [one(place, position) for position, place in enumerate(listed, 1)]
    return [*in_list, *(one(place, 0) for place in others)]


def why_not(maker: ListMaker, asked: Asked, place: int) -> str:
    """What kept an item out of the list of the one user in `asked`: the names of rules, or that others are before it."""
    assortment, rules, sieve = maker.shop.assortment, maker.rules, maker.sieve(asked)
    kept_out = [] if assortment.is_available[place] else ["not available"]
    if maker.shop.is_barred[place] and not kept_out:
        kept_out.append("price")
    pairs = excluded_pairs(maker.shop, asked.doings, asked.now_s)
    kept_out += [name.replace("_", " ") for name, (_, places) in pairs.items() if place in places]
    if (
        sieve.median is not None
        and is_out_of_band(np.array([[assortment.price[place]]]), sieve.median, sieve.band)[0, 0]
    ):
        kept_out.append("price band")
    chooses = rules.diversity or rules.max_per_category or rules.max_per_brand
    return ", ".join(kept_out) or ("others before it, or too many alike" if chooses else "others before it")


def _most(items: Words, parts: np.ndarray) -> tuple[tuple[int, float], ...]:
    best = np.argsort(-parts, kind="stable")[:MOST_CAUSES]
    return tuple((int(items[i]), float(parts[i])) for i in best if parts[i] > 0)
