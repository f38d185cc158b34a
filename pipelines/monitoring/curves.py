"""Which figures have small plots, and the points of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

from pipelines.monitoring.overview import Overview
from pipelines.monitoring.sparkline import risen
from pipelines.stores.history import TOTALS, HistoryStore, Point

OLD_MS = 150_000  # streams note their figures every minute


@dataclass(frozen=True)
class Plotted:
    """A figure's small plot. A total is plotted by what it rises by in a minute."""

    job: str
    figure: str
    name: str
    beside: str = ""  # the figure that it is compared with
    beside_name: str = ""


CURVES = (
    Plotted("personalize", "n_new", "interactions a minute"),
    Plotted("personalize", "n_lists", "lists a minute"),
    Plotted("personalize", "lag_p50_ms", "event to list, ms"),
    Plotted("personalize", "kafka_lag", "behind Kafka, records"),
    Plotted("personalize", "progressive_ndcg", "NDCG before learning", "progressive_ndcg_of_popularity", "popularity"),
    Plotted("evaluate_model", "ndcg.champion", "NDCG of later choices", "ndcg.popularity", "popularity"),
    Plotted("evaluate_model", "click_through.personal", "clicked, of places seen"),
    Plotted("detect_drift", "worst_psi_ratio.columns", "worst drift ÷ its limit"),
    Plotted("detect_drift", "served_ndcg.now", "NDCG of served lists", "served_ndcg.before", "before"),
    Plotted("validate_events", "n_valid", "events filed a minute"),
    Plotted("validate_events", "n_quarantined", "quarantined a minute"),
)


@dataclass(frozen=True)
class Curve:
    """A figure's newest points, the oldest first."""

    name: str
    as_of_ms: int  # of the newest
    values: Sequence[float]  # two or more
    beside_name: str = ""
    beside: Sequence[float] = ()

    @property
    def newest(self) -> float:
        return self.values[-1]

    def old_as_of_ms(self, now_ms: int) -> int | None:
        """When the newest was told, if it is not of these minutes."""
        return self.as_of_ms if now_ms - self.as_of_ms > OLD_MS else None


def curves(histories: Mapping[str, Sequence[Point]]) -> list[Curve]:
    """Those of CURVES that there are two values of; `histories` by job."""
    found = []
    for plotted in CURVES:
        points = histories.get(plotted.job, ())
        values, beside = _values(points, plotted.figure), _values(points, plotted.beside)
        if len(values) > 1:
            as_of_ms = max(point.at_ms for point in points if plotted.figure in point.figures)
            beside_it = (plotted.beside_name, beside) if len(beside) > 1 else ()
            found.append(Curve(plotted.name, as_of_ms, values, *beside_it))
    return found


def histories_of(client: Redis, overview: Overview, n_newest: int | None = None) -> dict[str, list[Point]]:
    """The points of all that has a plot, by job; none while Redis is away."""
    store = HistoryStore(client)
    try:
        jobs = {plotted.job for plotted in CURVES} & {*overview.streams, *overview.outcomes}
        return {job: store.read(job, n_newest) for job in jobs}
    except RedisError:  # it has just gone: what is shown does without curves
        return {}


def _values(points: Sequence[Point], figure: str) -> list[float]:
    values = [point.figures[figure] for point in points if figure in point.figures]
    return risen(values) if figure in TOTALS else values
