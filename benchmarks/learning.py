"""What it costs to learn from an example: the gradient of the hot path, on one core.

    python -m benchmarks.learning

A model learns from a simulated shop through the fold and the step of the hot path; then the gradients of micro-batches of
its last events are timed: the least CPU time of some rounds.
"""

import time

import click
from rich.progress import track
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.hot_loop import HotLoop, micro_batches
from benchmarks.results import publish
from benchmarks.shop_log import shop_log
from pipelines.local.shop import ShopConfig
from pipelines.model_sections import ModelConfig
from pipelines.models.kinds import empty
from pipelines.models.ranker import TrainingBatch
from pipelines.sections import ProfileConfig

SHOP = ShopConfig(n_items=10_000, n_events=200_000, n_users=4_000, n_categories=100, events_per_second=1.0)
EVENTS, FEW, MANY = 600, 80, 6_000  # of a micro-batch: about 500 examples, 60, 5,000
ROUNDS = 20
AIMS = {"us_per_example": "<= 15"}


@click.command(help=__doc__.split("\n")[0])
def main() -> None:
    with threadpool_limits(1):
        log = shop_log(SHOP)
        loop = HotLoop(log, empty(ModelConfig()), ProfileConfig())
        last = len(log) - EVENTS - FEW - MANY
        for rows in track(list(micro_batches(last, 1_000)), "learning", transient=True):
            loop.learn(loop.fold(rows))
        figures: dict[str, float] = {}
        for key, size in (("", EVENTS), ("_few", FEW), ("_many", MANY)):
            batch, last = loop.fold(slice(last, last + size)), last + size
            n_examples, us = cost(loop, batch)
            figures |= {f"us_per_example{key}": us, f"examples{key}": n_examples}
    publish("learning", figures, AIMS)


def cost(loop: HotLoop, batch: TrainingBatch) -> tuple[int, float]:
    """Examples of a micro-batch, and microseconds of each."""
    taken = []
    for _ in range(ROUNDS):
        started = time.thread_time()
        gradient = loop.ranker.gradient(batch, seed=0)
        taken.append(time.thread_time() - started)
    return gradient.n_examples, 1e6 * min(taken) / gradient.n_examples


if __name__ == "__main__":
    main()
