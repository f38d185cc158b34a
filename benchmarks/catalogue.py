"""What a large catalogue costs: lists of all items beside lists from few candidates, a micro-batch, memory of workers.

    python -m benchmarks.catalogue

Models learn from simulated shops, through the fold and the step of the hot path. Times are of one core, the least of some
rounds, in CPU time: of lists for BLOCK users that are due together and for FEW.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import click
import numpy as np
from rich.progress import track
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.hot_loop import HotLoop, micro_batches
from benchmarks.results import RESULTS, publish
from benchmarks.shop_log import shop_log
from benchmarks.worker_memory import Steps, memory_of_workers
from pipelines.features.profile import Ints
from pipelines.lists.selection import top_n
from pipelines.local.shop import ShopConfig
from pipelines.model_sections import FactorizationConfig, ModelConfig
from pipelines.models.best import best_of_all
from pipelines.models.factorization.item_scores import ItemScores
from pipelines.models.factorization.item_side import ItemSide
from pipelines.models.factorization.kept import MOST_STEPS, Kept
from pipelines.models.factorization.machine import FactorizationMachine
from pipelines.models.factorization.pruning import Own, Shelves
from pipelines.models.factorization.tables import Matrix, Table, Vector, empty_tables
from pipelines.models.items import Items
from pipelines.models.kinds import empty, from_bytes
from pipelines.models.model import Model
from pipelines.models.progressive import evaluate
from pipelines.models.ranker import Histories, ItemFacts
from pipelines.sections import ProfileConfig

N = 10
EXACT = ModelConfig(factorization=FactorizationConfig(exact_up_to_items=10**9))
Result = TypeVar("Result")
BLOCK, FEW = 1_024, 50  # users
ROUNDS = 3
# Some items nobody touches: the models hold about 10,000 and 100,000.
SMALL = ShopConfig(n_items=12_000, n_events=300_000, n_users=5_000, n_categories=100, events_per_second=1.0)
LARGE = ShopConfig(n_items=125_000, n_events=1_500_000, n_users=20_000, n_categories=500, events_per_second=4.0)
LAST_EVENTS = 200  # of each of the last micro-batches, as many as clusters live for
TIMED = 20  # of them
EVENTS = 2_000  # of each micro-batch before
AIMS = {
    "recall_learned": ">= 0.95",
    "recall_learned_old_clusters": ">= 0.95",
    "recall_gaussian": ">= 0.95",
    "pruned_100k_to_exact_10k_ratio": "< 10",
}


@click.command(help=__doc__.split("\n")[0])
def main() -> None:
    figures: dict[str, float] = {}
    with threadpool_limits(1):
        for name, shop in (("10k", SMALL), ("100k", LARGE)):
            loop, costs, steps = learned(shop)
            measured = {"n_items": loop.ranker.n_items} | costs | list_costs(loop) | sizes(model_of(loop))
            measured |= memory_of_workers(steps, ModelConfig(), asked(loop, FEW))
            figures |= {f"{key}_{name}": value for key, value in measured.items()}
        figures |= recalls(loop) | {"recall_gaussian": recall_of_gaussian()}
    figures["pruned_100k_to_exact_10k_ratio"] = figures["pruned_us_per_user_100k"] / figures["exact_us_per_user_10k"]
    publish("catalogue", figures | on_paper(), AIMS)


def learned(shop: ShopConfig) -> tuple[HotLoop, dict[str, float], Steps]:
    """A model that learned from a shop, with clusters of the greatest age, and its last steps and what they cost."""
    log = shop_log(shop)
    loop = HotLoop(log, empty(ModelConfig()), ProfileConfig())
    clustered = len(log) - (MOST_STEPS - 1) * LAST_EVENTS
    for rows in track(list(micro_batches(clustered, EVENTS)), "learning", transient=True):
        loop.learn(loop.fold(rows))
    loop.ranker.best(asked(loop, FEW), N)
    follower = from_bytes(ModelConfig(), loop.ranker.to_bytes())
    costs: list[dict[str, float]] = []
    starts = range(clustered, len(log), LAST_EVENTS)
    for start in track(starts, "learning on", transient=True):
        if start == starts[-TIMED]:
            steps = Steps(loop.ranker.to_bytes(), [])
        cost, patch = step_costs(loop, follower, slice(start, min(start + LAST_EVENTS, len(log))))
        costs.append(cost)
        if start >= starts[-TIMED]:
            steps.patches.append(patch)
    return loop, {name: float(np.median([cost[name] for cost in costs[-TIMED:]])) for name in costs[0]}, steps


def step_costs(loop: HotLoop, follower: Model, rows: slice) -> tuple[dict[str, float], bytes]:
    """Milliseconds of the parts of a micro-batch that take as long for one user as for many, or nearly; and its patch."""
    batch, model = loop.fold(rows), model_of(loop)
    somebody = loop.histories(np.zeros(1, np.int64), int(loop.log.time_s[rows.stop - 1]))
    taken = {"first_list_ms": seconds(lambda: model.best(somebody, N))[0]}
    taken["with_items_ms"], _ = seconds(lambda: model.with_items(batch.facts, batch.timeline))
    taken["evaluate_ms"], _ = seconds(lambda: evaluate(model, batch, model.config, 0))
    taken["gradient_ms"], gradient = seconds(lambda: model.gradient(batch, 0))
    n_items = model.n_items
    taken["apply_ms"], patch = seconds(lambda: model.apply([gradient.data]))
    taken["patch_ms"], _ = seconds(lambda: follower.patch(patch))
    return {name: 1e3 * value for name, value in taken.items()} | {"new_items": model.n_items - n_items}, patch


def list_costs(loop: HotLoop) -> dict[str, float]:
    """Microseconds of a list: of all items, and as the model makes it where that is from candidates."""
    model, cost = model_of(loop), dict[str, float]()
    is_large = model.n_items > model.config.factorization.exact_up_to_items
    exact = Model(model.config, model.items, FactorizationMachine(EXACT, machine_of(loop).tables))
    for suffix, n_users in (("", BLOCK), ("_of_few", FEW)):
        histories = asked(loop, n_users)
        for each in (exact, model):
            each.best(histories, N)  # so that nothing is left to bring up to date
        ways: dict[str, Callable[[], object]]
        ways = {"exact": partial(exact.best, histories, N)}
        ways |= {"pruned": partial(model.best, histories, N)} if is_large else {}
        for name, way in ways.items():
            cost[f"{name}_us_per_user{suffix}"] = 1e6 * min(seconds(way)[0] for _ in range(ROUNDS)) / n_users
    if is_large:
        scores = ItemScores.of(machine_of(loop)._side(model.items))
        cost["cluster_ms"] = 1e3 * seconds(lambda: Shelves.of(scores))[0]
    return cost


def recalls(loop: HotLoop) -> dict[str, float]:
    """Share of the N best of all items that are found, with clusters as old as they get and with new ones."""
    model, histories = model_of(loop), asked(loop, BLOCK)
    wanted, _ = best_of_all(model.score, model.n_items, histories, N)
    old = recall(model.best(histories, N)[0], wanted)
    machine_of(loop)._kept = Kept()
    return {"recall_learned": recall(model.best(histories, N)[0], wanted), "recall_learned_old_clusters": old}


def recall_of_gaussian(n_items: int = 100_000, d: int = 32) -> float:
    """The same of vectors that have no structure: inner products and user-free scores spread like normal numbers of size 1."""
    random = np.random.default_rng(0)
    queries = random.normal(size=(BLOCK, d)).astype(np.float32)
    vectors = random.normal(scale=d**-0.5, size=(n_items, d)).astype(np.float32)
    scores = scores_of(vectors, random.normal(size=n_items).astype(np.float32))
    nothing = np.empty(0, np.int64)
    found, _ = Shelves.of(scores).best(queries, scores, Own(nothing, nothing, np.empty(0, np.float32)), N)
    everything = (queries[at] @ vectors.T + scores.free for at in micro_batches(BLOCK, FEW))
    return recall(found, np.concatenate([top_n(block, N) for block in everything]))


def scores_of(vectors: Matrix, free: Vector) -> ItemScores:
    """Of items without category and brand, and of no popularity."""
    config, n_items = ModelConfig(), len(free)
    tables = empty_tables(config.factorization, 0, len(config.popularity_half_lives_hours))
    tables["item"], tables["bias"] = (Table(values, free) for values in (vectors, free[:, None]))
    tables["term"].values[:] = 0.0
    nothing, names = np.zeros(n_items, np.uint64), np.array([f"item-{i}" for i in range(n_items)], object)
    items = Items.none(config).with_facts(ItemFacts(np.arange(n_items, dtype=np.uint64), names, nothing, nothing), 0)
    return ItemScores.of(ItemSide(config, tables, items))


def recall(found: Ints, wanted: Ints) -> float:
    """Mean share of `wanted` (U, n) that is in `found` (U, n)."""
    return float((found[:, :, None] == wanted[:, None, :]).any(axis=1).mean())


def sizes(model: Model) -> dict[str, float]:
    """Bytes of an item and megabytes of all that a process holds of the model, and of that what only lists need."""
    machine = model.scorer
    assert isinstance(machine, FactorizationMachine)
    kept = machine._kept.scores(machine._side(model.items)), machine._kept._clustering.shelves
    for_lists = sum(arrays_of(part) for part in kept if part is not None)
    tables = sum(arrays_of(table) for table in machine.tables.values())
    names = sum(sys.getsizeof(name) for name in model.item_ids.tolist())
    items = arrays_of(model.items) + arrays_of(model.items.index) + arrays_of(model.items.popularity) + names
    everything = tables + items + for_lists
    return {
        "bytes_per_item": everything / model.n_items,
        "model_mb": everything / 1e6,
        "shareable_mb": tables / 1e6,
        "names_mb": (names + model.item_ids.nbytes) / 1e6,
        "lists_mb": for_lists / 1e6,
        "snapshot_mb": len(model.to_bytes()) / 1e6,
    }


def arrays_of(holder: object) -> int:
    """Bytes of the arrays that an object holds itself."""
    return sum(value.nbytes for value in vars(holder).values() if isinstance(value, np.ndarray))


def on_paper() -> dict[str, float]:
    """Memory of Redis for a million known users, from what the benchmark of the hot path measured of one."""
    document = json.loads((RESULTS / "hot_path.json").read_text(encoding="utf-8"))
    return {"redis_gb_of_a_million_users": document["figures"]["redis_bytes_per_user"] / 1e3}


def asked(loop: HotLoop, n_users: int) -> Histories:
    """What is known of some users, when the log ends."""
    users = np.random.default_rng(1).choice(loop.log.n_users, n_users, replace=False)
    return loop.histories(np.sort(users), int(loop.log.time_s[-1]))


def model_of(loop: HotLoop) -> Model:
    assert isinstance(loop.ranker, Model)
    return loop.ranker


def machine_of(loop: HotLoop) -> FactorizationMachine:
    machine = model_of(loop).scorer
    assert isinstance(machine, FactorizationMachine)
    return machine


def seconds(work: Callable[[], Result]) -> tuple[float, Result]:
    """CPU time of this thread, and what `work` gave."""
    started = time.thread_time()
    result = work()
    return time.thread_time() - started, result


if __name__ == "__main__":
    main()
