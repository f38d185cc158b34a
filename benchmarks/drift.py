"""How soon a planted drift is found, and how often one is told of where is none: on simulated shops.

    python -m benchmarks.drift

False alarms: shops that nothing happens to, judged once a day for a month. Sensitivity: shops in which something changes after
nine days, judged every hour from then on; counted are the events between the change and the first alert of the right detector.
The verdicts are those of `detect_drift`; histograms are counted without Spark (drift_shop.py), which tests hold equal to Spark's.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from statistics import median
from typing import get_args

import click
from rich.progress import track
from scipy import stats

from benchmarks.drift_shop import HourlyCounts, hourly_counts, served_slices
from benchmarks.results import publish
from pipelines.drift.concept import detect, points_of
from pipelines.drift.results import CONCEPT_NAME
from pipelines.drift.verdicts import Judged, judge
from pipelines.drift.windows import Windows
from pipelines.drift_sections import DriftConfig
from pipelines.local.shop import Plant, Shop, ShopConfig
from pipelines.local.shop.planted import PlantKind

CONFIG = DriftConfig()
STABLE_SEEDS, STABLE_DAYS, STABLE_PER_DAY = range(20), 30, 1_000
PLANT_SEEDS, PLANTED_AT_DAY, WATCHED_DAYS, PLANT_PER_DAY = range(5), 9, 2, 5_000
REFERENCE_DAYS = 8  # what the first window needs
DETECTORS: Mapping[PlantKind, tuple[str, ...]] = {
    "new_category": ("events.category", "events.brand"),
    "device_mix": ("events.device_type",),
    "price_unit": ("events.price",),
    "taste_change": (CONCEPT_NAME,),
}
LIMIT_EVENTS: Mapping[PlantKind, int] = {
    "new_category": 1_500, "device_mix": 6_000, "price_unit": 600, "taste_change": 1_500,
}  # fmt: skip
AIMS = {
    "false_alarm_rate": "<= 0.01",
    **{f"{kind}_events_worst": f"<= {limit:,}" for kind, limit in LIMIT_EVENTS.items()},
}


@dataclass(frozen=True)
class WatchedShop:
    """A simulated shop, counted."""

    shop: Shop
    counts: HourlyCounts
    slices: list[tuple[int, int, float]]

    @classmethod
    def of(cls, config: ShopConfig, plant: Plant | None = None) -> "WatchedShop":
        shop = Shop(config, plant)
        events = list(shop.good_events())
        return cls(shop, hourly_counts(shop, events), served_slices(shop, events))

    def judged(self, hour: int) -> tuple[list[Judged], bool]:
        """The verdicts as of so many hours after the begin of the shop, and whether the lists fit less."""
        begin = datetime.fromtimestamp(self.shop.config.start_ms / 1000, timezone.utc)
        windows = Windows.of(begin + timedelta(hours=hour), CONFIG)
        first_s, start_s, end_s = (
            round(t.timestamp()) for t in (windows.reference_start, windows.start, windows.as_of)
        )
        slices = [of_slice for of_slice in self.slices if first_s <= of_slice[0] < end_s]
        change = detect(points_of(slices, start_s, CONFIG.concept.choices_per_point), start_s)
        verdicts = judge(self.counts.histograms(windows), CONFIG, windows.same_weekday)
        return verdicts, change.is_judged and change.is_drift(CONFIG.concept)


@click.command(help=__doc__.split("\n")[0])
def main() -> None:
    figures = dict(false_alarms()) | dict(sensitivity())
    publish("drift", figures, AIMS)


def stable_shop(seed: int) -> WatchedShop:
    """A shop that nothing happens to."""
    days = REFERENCE_DAYS + STABLE_DAYS - 1
    return WatchedShop.of(_config(days, STABLE_PER_DAY, seed))


def false_alarms() -> Iterator[tuple[str, float]]:
    """Shares of the runs with an alert: of this job, and of what is usual elsewhere, on the same histograms."""
    told: Counter[str] = Counter()
    for seed in track(STABLE_SEEDS, "stable shops", transient=True):
        watched = stable_shop(seed)
        for day in range(REFERENCE_DAYS, REFERENCE_DAYS + STABLE_DAYS):
            told.update(alarms_of(*watched.judged(24 * day)))
    yield "runs_without_drift", float(told["runs"])
    for name in ("false_alarm_rate", "concept_alarm_rate", "psi_alone_alarm_rate", "chi_square_alone_alarm_rate"):
        yield name, told[name] / told["runs"]


def alarms_of(judged: list[Judged], is_concept: bool) -> dict[str, int]:
    """1 for each way to judge that would have raised an alarm."""
    told = [one.figures for one in judged if one.figures]
    independent = [stats.chi2.sf(of.chi_square, of.degrees_of_freedom) for of in told]
    return {
        "runs": 1,
        "false_alarm_rate": int(is_concept or any(one.is_alert for one in judged)),
        "concept_alarm_rate": int(is_concept),
        "psi_alone_alarm_rate": int(any(of.psi > 0.1 for of in told)),
        "chi_square_alone_alarm_rate": int(min(independent) < 0.01 / len(told)),
    }


def sensitivity() -> Iterator[tuple[str, float]]:
    """Events from the change to the alert: the median shop and the worst."""
    for kind in get_args(PlantKind):
        found = [events_to_alert(kind, seed) for seed in track(PLANT_SEEDS, kind, transient=True)]
        yield f"{kind}_events_median", median(found)
        yield f"{kind}_events_worst", max(found)


def events_to_alert(kind: PlantKind, seed: int) -> float:
    """Events until the right detector tells; infinite where it does not within WATCHED_DAYS."""
    days = PLANTED_AT_DAY + WATCHED_DAYS
    watched = WatchedShop.of(_config(days, PLANT_PER_DAY, seed), Plant(kind, PLANT_PER_DAY * PLANTED_AT_DAY))
    for hours in range(1, 24 * WATCHED_DAYS + 1):
        judged, is_concept = watched.judged(24 * PLANTED_AT_DAY + hours)
        told = {one.name for one in judged if one.is_alert} | ({CONCEPT_NAME} if is_concept else set())
        if told & set(DETECTORS[kind]):
            return hours * PLANT_PER_DAY / 24
    return float("inf")


def _config(days: int, per_day: int, seed: int) -> ShopConfig:
    return ShopConfig(n_events=days * per_day, events_per_second=per_day / 86_400, seed=seed)


if __name__ == "__main__":
    main()
