"""Train the ranker from what is filed in Delta, judge it by later events, and register it in MLflow.

\b
    liveshelf train_model                               a first model, or a new one every night
    liveshelf train_model --since 2026-10-01 --promote  and let the hot path go on from it
    liveshelf train_model --trials 20 --sample 0.2      look for hyperparameters, on a fifth of the users
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/train_model.py

The events are cut into slices of time. The model learns from one slice after the other, micro-batch by micro-batch, as the
hot path would have; the partitions of a slice learn at once, each from its own users, and what they learned is mixed. The
last slices are foretold first: what users chose in them is ranked against the whole catalogue, beside popularity and the
user's own history. Then the model learns them too, and becomes the challenger: champion where there is none.

The same version of `events` and the same options give the same model, to the byte.

\b
Reads   {lake_root}/events, at one version of the table
Writes  MLflow: a run with parameters, data version, metrics, figures; a version of tracking.model_name; its alias
"""

import contextlib
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, get_args

import click

from jobs._notices import notice
from jobs._options import config_option
from jobs._outcomes import tell_figures, tells_outcome
from jobs._progress import SendingProgress
from jobs._spark import job_session
from jobs._training import Cutting, TrainingData, go_on, read_training_data, train
from pipelines.config import Config
from pipelines.errors import InputError
from pipelines.features.timelines import Wanted
from pipelines.model_sections import Kind, ModelConfig
from pipelines.models.model import Model
from pipelines.training.epochs import Point
from pipelines.training.tasks import LearningSettings
from pipelines.training.validation import headline, judged

if TYPE_CHECKING:
    from pipelines.tracking.registry import Registry
    from pipelines.tracking.runs import TrainingRun
    from pipelines.tracking.versions import Version

JOB = "train_model"


@dataclass(frozen=True)
class Learning:
    """How to learn."""

    batch_examples: int
    n_epochs: int
    n_trials: int
    seed: int

    def settings(self, config: ModelConfig) -> LearningSettings:
        """For a model of this configuration."""
        return LearningSettings(config, self.batch_examples, self.seed)


@click.command(help=__doc__)
@click.option("--since", type=click.DateTime(), help="Only events from then on (event time, UTC).")
@click.option("--until", type=click.DateTime(), help="Only events before then.")
@click.option("--known-by", type=click.DateTime(), help="Only events that had arrived by then (ingest time, UTC).")
@click.option("--version", type=click.IntRange(0), help="Of the Delta table `events`.  [default: the newest]")
@click.option(
    "--sample", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True,
    help="Share of the users, with all they did; always the same ones.",
)  # fmt: skip
@click.option("--kind", type=click.Choice(get_args(Kind)), help="Which ranker.  [default: model.kind]")
@click.option(
    "--slices", "n_slices", type=click.IntRange(3, 100_000),
    help="Cut of the time: partitions mix what they learned after each.  [default: of 50,000 events, 10 at least]",
)  # fmt: skip
@click.option(
    "--validation-share", type=click.FloatRange(0, 0.5, min_open=True), default=0.1, show_default=True,
    help="Of the slices: the last ones, which the model is judged by.",
)  # fmt: skip
@click.option(
    "--partitions", "n_partitions", type=click.IntRange(1, 10_000),
    help="Of the users, which learn at once; 1: in plain order.  [default: Spark's cores]",
)  # fmt: skip
@click.option(
    "--batch-examples", type=click.IntRange(1), default=500, show_default=True,
    help="Interactions in a micro-batch of one partition: a step is taken after each.",
)  # fmt: skip
@click.option(
    "--epochs", "n_epochs", type=click.IntRange(1, 100), default=1, show_default=True,
    help="Passes at most; stops when one is no better. The pass is chosen by the slices that judge it, so its figures flatter.",
)  # fmt: skip
@click.option(
    "--trials", "n_trials", type=click.IntRange(0), default=0, show_default=True,
    help="Sets of hyperparameters to try first, each a run of its own; judged by slices before the last ones.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all chance in it.")
@click.option("--promote", "is_promoted", is_flag=True, help="Make it champion, unless it is clearly worse.")
@config_option
@tells_outcome(JOB)
def main(
    config: Config, since: datetime | None, until: datetime | None, known_by: datetime | None, version: int | None,
    sample: float, kind: Kind | None, n_slices: int | None, validation_share: float, n_partitions: int | None,
    batch_examples: int, n_epochs: int, n_trials: int, seed: int, is_promoted: bool,
) -> None:  # fmt: skip
    if kind:
        config = config.model_copy(update={"model": config.model.model_copy(update={"kind": kind})})
    if n_epochs > 1 and config.model.kind != "factorization":
        raise InputError(
            f"--epochs {n_epochs}: a model of kind {config.model.kind} only counts; one pass is all it needs"
        )
    registry = _registry(config)
    wanted, cutting = Wanted(since, until, known_by, sample), Cutting(n_slices, validation_share, n_partitions)
    notice("reading events …")
    data = read_training_data(job_session(JOB), config, wanted, cutting, version)
    try:
        asked = {**vars(wanted), **vars(cutting), "n_partitions": data.n_partitions, "n_slices": data.cuts.n_slices}
        _run(config, data, Learning(batch_examples, n_epochs, n_trials, seed), registry, asked, is_promoted)
    finally:
        data.timelines.unpersist()


def _run(
    config: Config, data: TrainingData, how: Learning, registry: "Registry", asked: dict[str, object], is_promoted: bool
) -> None:
    from jobs._training_runs import Cost, data_version, log_curve, log_quality, print_summary, told
    from pipelines.tracking.runs import training_run

    in_trials = how.n_trials * data.n_events(data.before_tuning)
    n_events = in_trials + how.n_epochs * data.n_events(data.training) + data.n_events(data.validation)
    with SendingProgress("train", n_events, "interactions") as bar, contextlib.ExitStack() as runs:
        counter = _Counter(bar)
        parent_id = None
        if how.n_trials:
            about = {**config.model.model_dump(), "training": {**asked, **vars(how)}}
            search = runs.enter_context(training_run(registry, "search", about, data_version(data, data.training)))
            config, parent_id = _searched(config, data, how, registry, search, counter), search.run_id
        settings = how.settings(config.model)
        about = {**config.model.model_dump(), "training": {**asked, **vars(how)}}
        run = runs.enter_context(training_run(registry, "train", about, data_version(data, data.validation), parent_id))
        started = time.monotonic()
        trained = train(data, settings, data.training, data.validation, how.n_epochs, counter)
        cost = Cost.of(time.monotonic() - started, trained)
        metrics = judged(trained.choices)
        model = go_on(data, trained, settings, counter)
        counter.finish(n_events)
        log_curve(run, trained.curve)
        log_quality(run, metrics, trained.choices, trained.model)
        run.step(cost.n_examples, cost.figures())
        version = _registered(config, data, model, registry, run, is_promoted)
    tell_figures(told(data, cost, metrics))
    print_summary(data, trained, cost, metrics, version, config.tracking.model_name)


def _searched(
    config: Config, data: TrainingData, how: Learning, registry: "Registry", search: "TrainingRun", counter: "_Counter"
) -> Config:
    """The configuration of the best trial; every trial is a run beneath `search`."""
    from jobs._search import searched
    from jobs._training_runs import data_version, log_curve
    from pipelines.tracking.runs import training_run

    def value_of(number: int, model: ModelConfig) -> float:
        about, of_data = model.model_dump(), data_version(data, data.tuning)
        with training_run(registry, f"trial {number}", about, of_data, search.run_id) as run:
            trial = train(data, how.settings(model), data.before_tuning, data.tuning, 1, counter)
            log_curve(run, trial.curve)
            run.measured(judged(trial.choices))
        search.step(number, {"trial_ndcg10_all": headline(trial.choices)})
        return headline(trial.choices)

    number, best = searched(config.model, how.n_trials, how.seed, value_of)
    search.step(how.n_trials, {"best_trial": number})
    return config.model_copy(update={"model": best})


def _registered(
    config: Config, data: TrainingData, model: Model, registry: "Registry", run: "TrainingRun", is_promoted: bool
) -> "Version":
    """The version made of `model`, with the names it has then."""
    from pipelines.tracking.promotion import promote
    from pipelines.tracking.versions import CHALLENGER, Origin

    popular = model.item_ids[model.popularity().argsort(kind="stable")[::-1][:3]]
    origin = Origin("trained", data.features_version, model.n_items, as_of_s=data.cuts.span.last_s)
    number = run.register(config.model, model.to_bytes(), origin, popular.tolist()).number
    registry.name(registry.version(number), CHALLENGER)
    if is_promoted or registry.champion() is None:
        promote(registry, registry.version(number))
    return registry.version(number)


class _Counter:
    """Moves the bar by the examples of each slice."""

    def __init__(self, bar: SendingProgress) -> None:
        self._bar, self._n = bar, 0

    def __call__(self, point: Point) -> None:
        self._n += point.n_rows
        self._bar.show(self._n, self._n)

    def finish(self, n_events: int) -> None:
        """Whatever passes were saved."""
        self._bar.finish(self._n, n_events)


def _registry(config: Config) -> "Registry":
    from pipelines.tracking.registry import Registry  # MLflow takes seconds to import, `--help` need not wait

    return Registry.open(config.tracking)


if __name__ == "__main__":
    sys.exit(main())
