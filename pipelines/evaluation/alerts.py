"""What somebody should look at: a champion that is no better than popularity, and relevance that has fallen."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pipelines.evaluation.intervals import Interval
from pipelines.evaluation_sections import AlertConfig


@dataclass(frozen=True)
class Watched:
    """A figure that may fall, and what it was in earlier evaluations, the newest first."""

    name: str
    now: Interval
    earlier: Sequence[float]


def limit_of(earlier: Sequence[float], config: AlertConfig) -> float | None:
    """Below, a figure has fallen; `earlier`: the newest first. None: there are fewer than `min_earlier`."""
    newest = earlier[: config.n_earlier]
    return (1.0 - config.tolerated_drop) * median(newest) if len(newest) >= config.min_earlier else None


def fallen(watched: Watched, config: AlertConfig) -> str | None:
    """The alert when the whole interval lies below the median of the newest earlier ones, less the tolerated share.

    None: it does not, or there are fewer earlier ones than `min_earlier`.
    """
    limit = limit_of(watched.earlier, config)
    if limit is None or not watched.now.high < limit:
        return None
    earlier = watched.earlier[: config.n_earlier]
    usual = median(earlier)
    return (
        f"relevance has fallen: {watched.name} is {watched.now}, below {limit:.3f}: the median of the {len(earlier)} evaluations "
        f"before was {usual:.3f}, and {config.tolerated_drop:.0%} less is tolerated"
    )


def no_better(version: int, above_popularity: Interval, n: int, min_choices: int) -> str | None:
    """The alert when the champion's NDCG is not above that of popularity beyond the interval of the difference.

    None: it is, or it was judged by fewer choices than `min_choices`.
    """
    if n < min_choices or above_popularity.low > 0:
        return None
    return (
        f"the champion, version {version}, is no better than plain popularity: NDCG {above_popularity.mean:+.3f} "
        f"[{above_popularity.low:+.3f}, {above_popularity.high:+.3f}] over {n:,} choices"
    )
