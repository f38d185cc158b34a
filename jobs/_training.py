"""What `train_model` learns from, and how it learns: slices of time on Spark, judged by later ones."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.storagelevel import StorageLevel

from pipelines.config import Config
from pipelines.errors import InputError
from pipelines.features.definitions import load_definitions
from pipelines.features.timelines import Cuts, Wanted, equal_cuts, interactions_until, span_of, to_timelines
from pipelines.models.kinds import empty
from pipelines.models.model import Model
from pipelines.sources.delta import newest_version, read_table
from pipelines.training.epochs import Point, learn, rewound, validate
from pipelines.training.mixing import is_mixable
from pipelines.training.tasks import LearningSettings
from pipelines.training.validation import Choices, headline

EVENTS_PER_SLICE, FEWEST_SLICES = 50_000, 10
FEWEST_EVENTS = 200  # with less, no figure says anything
N_CHOICES = 2_000  # judged
OnSlice = Callable[[Point], None]


@dataclass(frozen=True)
class Cutting:
    """How the events are cut: `n_slices` None: by their number; `n_partitions` None: as many as Spark has cores."""

    n_slices: int | None
    validation_share: float
    n_partitions: int | None


@dataclass(frozen=True)
class TrainingData:
    """One version of `events`, cut into slices: those to learn from, then those to judge by."""

    timelines: DataFrame
    cuts: Cuts
    n_validation: int  # slices, the last ones
    n_partitions: int
    version: int  # of the Delta table
    features_version: int

    @property
    def training(self) -> range:
        """The slices to learn from."""
        return range(self.cuts.n_slices - self.n_validation)

    @property
    def validation(self) -> range:
        """The later slices, by which the model is judged."""
        return range(len(self.training), self.cuts.n_slices)

    @property
    def before_tuning(self) -> range:
        """What a trial of the search learns from."""
        return range(max(1, len(self.training) - self.n_validation))

    @property
    def tuning(self) -> range:
        """The last slices of `training`: trials are judged by them, so that `validation` stays unseen."""
        return range(len(self.before_tuning), len(self.training))

    def n_events(self, slices: range) -> int:
        """How many interactions some slices have."""
        return int(self.cuts.n_rows[slices.start : slices.stop].sum())


@dataclass(frozen=True)
class Trained:
    """A model, how it learned, and how well it foretold later choices."""

    model: Model
    curve: Sequence[Point]  # of the pass that was kept and those before it, a point a slice
    choices: Choices
    n_epochs: int  # passes in the model

    @property
    def n_examples(self) -> int:
        return sum(point.n_examples for point in self.curve)


def read_training_data(
    spark: SparkSession, config: Config, wanted: Wanted, cutting: Cutting, version: int | None
) -> TrainingData:
    """Read and cut a version of `events`, by default the newest; it is kept at hand by Spark (memory, then disk).

    Raises InputError when there is no table, or too little in it.
    """
    path, definitions = config.table("events"), load_definitions(config.features.definitions)
    version = _checked_version(spark, path, version)
    events = read_table(spark, path, "events", config.events.contract.events, version=version)
    interactions = interactions_until(events, definitions, config.model, wanted)
    span = span_of(interactions)
    _check_enough(span.n_rows)
    n_slices = cutting.n_slices or max(FEWEST_SLICES, math.ceil(span.n_rows / EVENTS_PER_SLICE))
    cuts = equal_cuts(interactions, span, n_slices)
    if cuts.n_slices < 3:
        raise InputError(
            f"{span.n_rows:,} interactions in {span.last_s - span.first_s + 1:,} seconds make {cuts.n_slices} slices, expected 3 "
            "at least: earlier ones to learn from, later ones to judge by; widen --since and --until, or raise --slices"
        )
    n_partitions = _checked_partitions(cutting.n_partitions, config.model.kind, spark.sparkContext.defaultParallelism)
    timelines = to_timelines(interactions, cuts, config.model.reach, n_partitions)
    n_validation = min(max(1, round(cutting.validation_share * cuts.n_slices)), cuts.n_slices - 2)
    kept = timelines.persist(StorageLevel.MEMORY_AND_DISK)
    return TrainingData(kept, cuts, n_validation, n_partitions, version, definitions.version)


def train(
    data: TrainingData, settings: LearningSettings, learned: range, judged_by: range, n_epochs: int, on_slice: OnSlice
) -> Trained:
    """Make passes over the slices `learned` until the next one is no better at `judged_by`; returns the best.

    Raises InputError where nothing was chosen in the slices `judged_by`.
    """
    model, curve, best = empty(settings.config), list[Point](), None

    def note(point: Point) -> None:
        curve.append(point)
        on_slice(point)

    for epoch in range(n_epochs):
        model = learn(data.timelines, rewound(model), settings, learned, note)
        choices = _choices(data, model, judged_by, settings.seed)
        if best and headline(choices) <= headline(best.choices):
            return best
        best = Trained(model, tuple(curve), choices, epoch + 1)
    if best is None:
        raise ValueError(f"expected at least 1 epoch, got {n_epochs}")
    return best


def go_on(data: TrainingData, trained: Trained, settings: LearningSettings, on_slice: OnSlice) -> Model:
    """Let the model learn the slices that it was judged by, too: what comes next is nearer to them."""
    return learn(data.timelines, trained.model, settings, data.validation, on_slice)


def _choices(data: TrainingData, model: Model, slices: range, seed: int) -> Choices:
    n_of_task = math.ceil(N_CHOICES / (len(slices) * data.n_partitions))
    choices = validate(data.timelines, model, slices, n_of_task, seed)
    if choices is None:
        raise InputError(
            "the later slices have no interaction that says something good of an item (model.event_weights), so nothing can be "
            "judged; raise --validation-share, or widen --since and --until"
        )
    return choices


def _checked_version(spark: SparkSession, path: str, asked: int | None) -> int:
    from delta.tables import DeltaTable

    if not DeltaTable.isDeltaTable(spark, path):
        raise InputError(
            f"{path}: no table `events` yet; `liveshelf validate_events` makes it with the first valid event, train then"
        )
    newest = newest_version(spark, path)
    if asked is not None and asked > newest:
        raise InputError(f"--version {asked}: {path} has versions up to {newest}; leave it out for the newest")
    return newest if asked is None else asked


def _check_enough(n_events: int) -> None:
    if n_events < FEWEST_EVENTS:
        raise InputError(
            f"{n_events:,} interactions to learn from, expected {FEWEST_EVENTS} at least (views, clicks, carts, purchases of an "
            "item); widen --since, --until, --known-by or --sample, or let `liveshelf validate_events` file more events first"
        )


def _checked_partitions(asked: int | None, kind: str, n_cores: int) -> int:
    if is_mixable(kind):
        return asked or n_cores
    if asked and asked > 1:
        raise InputError(f"--partitions {asked}: a model of kind {kind} is learned by one partition; leave it out")
    return 1
