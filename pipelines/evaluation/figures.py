"""From judged choices to figures: each metric of each ranking in each segment, with its interval."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.holdout import JudgedChoices, JudgedLists
from pipelines.evaluation.intervals import Interval, mean_intervals
from pipelines.evaluation.list_qualities import calibration_error
from pipelines.evaluation.metrics import (
    NO_ITEM,
    Flags,
    Floats,
    Hits,
    average_precision,
    coverage,
    hit_rate,
    ndcg,
    precision,
    recall,
    reciprocal_rank,
)
from pipelines.evaluation.rankings import MODEL, OWN_HISTORY, POPULARITY, RANKINGS

ALL = "all"
ABOVE = {"above_popularity": POPULARITY, "above_own_history": OWN_HISTORY}  # differences of the model's lists to theirs
LESS_IS_BETTER = ("log_loss", "miscalibration", "calibration_error")


@dataclass(frozen=True)
class Figure:
    """One metric of one ranking in one segment."""

    ranking: str
    segment: str
    metric: str
    value: float
    low: float | None  # None: a figure that is no mean has no interval
    high: float | None
    n: int  # choices it is of
    n_users: int

    @property
    def interval(self) -> Interval:
        """Its bounds; the value itself where it has none."""
        return Interval(
            self.value, self.value if self.low is None else self.low, self.value if self.high is None else self.high
        )


def values_of(choices: JudgedChoices, ranking: str) -> dict[str, Floats]:
    """(n,) each metric that is a mean over choices, of one ranking; NaN where it says nothing of a choice."""
    lists = choices.lists[ranking]
    numbers = np.arange(len(choices))
    of_day = Hits(numbers, lists.is_relevant, choices.n_relevant)
    of_next = Hits(numbers, lists.is_chosen, np.ones(len(choices), np.int64))
    return {
        "ndcg": ndcg(of_day),
        "recall": recall(of_day),
        "precision": precision(of_day),
        "hit_rate": hit_rate(of_day),
        "mrr": reciprocal_rank(of_day),
        "map": average_precision(of_day),
        "next_ndcg": ndcg(of_next),
        "next_hit_rate": hit_rate(of_next),
        "novelty": lists.novelty,
        "category_diversity": lists.category_diversity,
        "brand_diversity": lists.brand_diversity,
        "miscalibration": lists.miscalibration,
        "log_loss": lists.loss,
    }


def figures_of(choices: JudgedChoices, segments: Mapping[str, Flags], n_items: int, seed: int = 0) -> list[Figure]:
    """All figures of one version. `segments`: name → (n,) who is in it; empty ones are left out.

    n_items: of the catalogue that the version knows, which its coverage is a part of.
    """
    values = {ranking: values_of(choices, ranking) for ranking in RANKINGS}
    for name, baseline in ABOVE.items():
        values[name] = {"ndcg": values[MODEL]["ndcg"] - values[baseline]["ndcg"]}
    told = {segment: rows for segment, rows in segments.items() if rows.any()}
    return [figure for segment, rows in told.items() for figure in _of(choices, values, segment, rows, n_items, seed)]


def _of(
    choices: JudgedChoices,
    values: Mapping[str, Mapping[str, Floats]],
    segment: str,
    rows: Flags,
    n_items: int,
    seed: int,
) -> Iterator[Figure]:
    named = {f"{ranking}/{name}": value[rows] for ranking, own in values.items() for name, value in own.items()}
    user = choices.user[rows]
    for name, interval in mean_intervals(named, user, seed=seed).items():
        ranking, metric = name.split("/")
        told = np.isfinite(named[name])
        yield Figure(
            ranking, segment, metric, interval.mean, interval.low, interval.high, int(told.sum()),
            len(np.unique(user[told])),
        )  # fmt: skip
    for ranking in RANKINGS:
        for metric, value in _whole(choices.lists[ranking].at(rows), n_items).items():
            if math.isfinite(value):
                yield Figure(ranking, segment, metric, value, None, None, int(rows.sum()), len(np.unique(user)))


def _whole(lists: JudgedLists, n_items: int) -> dict[str, float]:
    """What lists are like together: no means over choices."""
    predicted, happened = calibration_of(lists)
    return {
        "coverage": coverage(lists.columns, n_items) if n_items else math.nan,
        "calibration_error": calibration_error(predicted, happened),
    }


def calibration_of(lists: JudgedLists) -> tuple[Floats, Floats]:
    """(N,) probability of each item in the lists, and 1 where it was chosen: chosen by the list alone, so without bias."""
    given = np.isfinite(lists.probability) & (lists.columns != NO_ITEM)
    return lists.probability[given], lists.is_chosen[given].astype(np.float64)
