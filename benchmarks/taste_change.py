"""How fast the lists follow when a shop's taste changes overnight: learning online, and with a model that learns no more.

    python -m benchmarks.taste_change

The simulated shop runs for ten days. At the end of the fifth every item changes places with another one, drawn by chance:
what was popular is not any more, people look for other categories, and come back for other things. Micro-batches go
through the fold and the step of the hot path; before each step its choices are ranked against the whole catalogue. The
frozen model reads the same profiles, and has learned nothing since the change, popularity neither.
"""

from dataclasses import replace
from pathlib import Path

import click
import matplotlib as mpl
import numpy as np
import orjson
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.progress import track

from benchmarks.event_log import FIELDS, EventLog, to_log
from benchmarks.hot_loop import HotLoop, micro_batches
from benchmarks.results import publish
from pipelines.features.profile import Words
from pipelines.local.shop import Shop, ShopConfig
from pipelines.model_sections import GuardsConfig, ModelConfig
from pipelines.models.kinds import empty
from pipelines.models.progressive import evaluate
from pipelines.schemas import INTERACTION_CODES
from pipelines.sections import ProfileConfig

PLOT = Path(__file__).parents[1] / "docs/taste_change.png"
DAYS, EVENTS = 10, 100_000
BATCH_EVENTS = 200
WINDOW_BATCHES = 10  # of which a point of the curve is the mean
RECOVERED = 0.9
MODEL = ModelConfig(guards=GuardsConfig(evaluated_examples_per_task=BATCH_EVENTS))
AIMS = {"recovered_share": ">= 0.9", "frozen_share": "< 0.9"}
Floats = NDArray[np.float64]


@click.command(help=__doc__.split("\n")[0])
def main() -> None:
    log = changed_shop(ShopConfig(n_events=EVENTS, events_per_second=EVENTS / DAYS / 86_400))
    change = len(log) // 2
    learning, frozen = (curve(log, freeze_at) for freeze_at in (None, change))
    figures = figures_of(learning, frozen, change)
    publish("taste_change", figures, AIMS)
    _plot(learning, frozen, change).savefig(PLOT, dpi=110)
    click.echo(f"plot: {PLOT}")


def changed_shop(config: ShopConfig) -> EventLog:
    """The interactions of the shop; in the second half every item stands for another one."""
    log = to_log(pd.DataFrame(_rows(config), columns=list(FIELDS)))
    other = np.random.default_rng(config.seed).permutation(log.n_items)
    item = log.item.copy()
    change = len(log) // 2
    item[change:] = other[item[change:]]
    return replace(log, item=item, category=_of_items(log, log.category)[item], brand=_of_items(log, log.brand)[item])


def _of_items(log: EventLog, of_event: Words) -> Words:
    """(I,) what the events say of each item: category and brand stay with it."""
    of_item = np.zeros(log.n_items, np.uint64)
    of_item[log.item] = of_event
    return of_item


def _rows(config: ShopConfig) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for sent in Shop(config).records():
        if sent.kind != "good" or sent.event_type not in INTERACTION_CODES:
            continue
        event = orjson.loads(sent.record.value)
        at = event["event_time"]
        time_s = int(pd.Timestamp(at).timestamp()) if isinstance(at, str) else int(at) // 1000
        told = (event.get("category"), event.get("brand"))
        context = (event.get("context", {}).get(name) for name in ("device_type", "location"))
        code = INTERACTION_CODES[sent.event_type]
        rows.append((sent.user, event["item_id"], time_s, code, event["event_id"], *told, *context))
    return rows


def curve(log: EventLog, freeze_at: int | None) -> Floats:
    """(batches, 2): of each micro-batch how many choices were ranked before it was learned, and the sum of their NDCG."""
    loop = HotLoop(log, empty(MODEL), ProfileConfig())
    told = []
    for number, rows in enumerate(track(list(micro_batches(len(log), BATCH_EVENTS)), "learning", transient=True)):
        batch = loop.fold(rows)
        of_batch = evaluate(loop.ranker, batch, MODEL, seed=number)
        told.append((of_batch.n, of_batch.ndcg))
        if freeze_at is None or rows.start < freeze_at:
            loop.learn(batch)
    return np.array(told, np.float64)


def windowed(told: Floats) -> Floats:
    """(batches,) mean NDCG of a choice over the last few micro-batches; NaN before there are as many."""
    summed = np.cumsum(told, axis=0)
    inside = summed.copy()
    inside[WINDOW_BATCHES:] -= summed[:-WINDOW_BATCHES]
    mean = inside[:, 1] / np.maximum(inside[:, 0], 1)
    mean[: WINDOW_BATCHES - 1] = np.nan
    return np.asarray(mean, np.float64)


def figures_of(learning: Floats, frozen: Floats, change: int) -> dict[str, float]:
    """What is published: levels before and after, and the events it took to come back to 90 % of the level before."""
    at = change // BATCH_EVENTS
    before = _mean(learning[at // 2 : at])
    back = np.flatnonzero(windowed(learning)[at + WINDOW_BATCHES :] >= RECOVERED * before)
    events = (int(back[0]) + WINDOW_BATCHES) * BATCH_EVENTS if len(back) else float("nan")
    tail = slice(at + (len(learning) - at) // 2, None)
    return {
        "ndcg20_before": before,
        "ndcg20_just_after": _mean(learning[at : at + WINDOW_BATCHES]),
        "ndcg20_learning": _mean(learning[tail]),
        "ndcg20_frozen": _mean(frozen[tail]),
        "recovered_share": _mean(learning[tail]) / before,
        "frozen_share": _mean(frozen[tail]) / before,
        "events_to_90_percent": float(events),
    }


def _mean(told: Floats) -> float:
    return float(told[:, 1].sum() / told[:, 0].sum())


def _plot(learning: Floats, frozen: Floats, change: int) -> Figure:
    mpl.use("Agg")
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    events = (np.arange(len(learning)) + 1) * BATCH_EVENTS
    axes.plot(events, windowed(frozen), color="tab:orange", label="frozen at the change")
    axes.plot(events, windowed(learning), color="tab:blue", label="learning online")
    axes.axvline(change, color="grey", linestyle="--", linewidth=1)
    axes.annotate("taste changes", (change, axes.get_ylim()[1]), (4, -12), textcoords="offset points", color="grey")
    axes.set(xlabel="interactions", ylabel="progressive NDCG@20", ylim=(0, None), title="A shop whose taste changes")
    axes.legend(loc="lower left")
    return figure


if __name__ == "__main__":
    main()
