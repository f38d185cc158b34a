"""What `evaluate_model` judges, and by what: versions of the registry, and the choices of the holdout on Spark."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.storagelevel import StorageLevel

from pipelines.config import Config
from pipelines.evaluation.figures import Figure, figures_of
from pipelines.evaluation.gate import Decision, Judged, decide, without_judgement
from pipelines.evaluation.holdout import ItemReference, JudgedChoices, Judging
from pipelines.evaluation.metrics import Flags
from pipelines.evaluation.reference import device_names, item_reference
from pipelines.evaluation.rows import Window
from pipelines.evaluation.segments import segments_of
from pipelines.features.definitions import Definitions, load_definitions
from pipelines.features.timelines import (
    SLICE,
    Cuts,
    Wanted,
    given_cuts,
    interactions_until,
    of_users_since,
    to_timelines,
)
from pipelines.models.kinds import from_bytes
from pipelines.models.model import Model
from pipelines.sources.delta import read_table
from pipelines.tracking.versions import CHALLENGER, CHAMPION, Version
from pipelines.training.holdout import judge_slice, n_choices_of_tasks

if TYPE_CHECKING:
    from pipelines.tracking.registry import Registry

FIELDS = ("category_field", "brand_field", "context_fields")


@dataclass(frozen=True)
class Candidate:
    """A version that is to be judged."""

    version: Version
    role: str  # champion, challenger, version
    model: Model
    as_of_s: int  # second of the newest event in it

    @property
    def number(self) -> int:
        return self.version.number


@dataclass(frozen=True)
class Result:
    """What came of one version: its figures, or why there are none."""

    candidate: Candidate
    figures: Sequence[Figure] = ()
    choices: JudgedChoices | None = None
    not_judged: str = ""
    judged_from_s: int = 0

    @property
    def number(self) -> int:
        return self.candidate.number

    def figure(self, ranking: str, metric: str, segment: str = "all") -> Figure | None:
        """One of them."""
        wanted = ranking, metric, segment
        return next((f for f in self.figures if (f.ranking, f.metric, f.segment) == wanted), None)


@dataclass(frozen=True)
class Holdout:
    """The events of the holdout, cut where versions end: a version is judged by the slices after what it has seen."""

    timelines: DataFrame
    cuts: Cuts
    since_s: int
    n_partitions: int
    items: ItemReference
    devices: Mapping[int, str] = field(default_factory=dict)

    def slices_from(self, time_s: int) -> range:
        """Slices that begin at that second or later; slice 0 is what was before the holdout."""
        first = int(np.searchsorted(self.cuts.at_s, time_s)) + 1
        return range(first, self.cuts.n_slices)


def candidates_of(registry: "Registry", named: Sequence[str]) -> list[Candidate]:
    """The champion, the challenger, and the versions `named`, each once. Raises InputError where one is not there."""
    by_alias = {alias: version for version in registry.versions() for alias in version.aliases}
    wanted = {by_alias[role].number: role for role in (CHALLENGER, CHAMPION) if role in by_alias}
    for name in named:
        wanted.setdefault(registry.version(name).number, "version")
    order = (CHAMPION, CHALLENGER, "version")
    return [
        _candidate(registry, n, role) for n, role in sorted(wanted.items(), key=lambda w: (order.index(w[1]), w[0]))
    ]


def _candidate(registry: "Registry", number: int, role: str) -> Candidate:
    version = registry.version(number)
    model = from_bytes(registry.model_config(version), registry.model_bytes(version))
    told = version.tags.get("as_of")
    as_of_s = int(datetime.fromisoformat(told).timestamp()) if told else model.as_of_s
    return Candidate(version, role, model, max(as_of_s, model.as_of_s))


def read_holdout(
    spark: SparkSession, config: Config, definitions: Definitions, window: Window, candidates: Sequence[Candidate]
) -> Holdout:
    """Read the events before `window.as_of`; what is judged by is kept at hand by Spark (memory, then disk)."""
    events = read_table(spark, config.table("events"), "events", config.events.contract.events)
    until = window.as_of.replace(tzinfo=None)
    interactions = interactions_until(events, definitions, config.model, Wanted(until=until))
    since_s = _epoch_s(window.since)
    ends = [each.as_of_s + 1 for each in candidates if since_s <= each.as_of_s < _epoch_s(window.as_of)]
    items = item_reference(interactions, since_s)
    active = of_users_since(interactions, since_s)
    cuts = given_cuts(active, np.unique([since_s, *ends]))
    n_partitions = spark.sparkContext.defaultParallelism
    timelines = to_timelines(active, cuts, _reach(config, candidates), n_partitions).where(f"{SLICE} > 0")
    devices: Mapping[int, str] = {}
    if config.evaluation.device_field in config.model.context_fields:
        recent = events.where(events.event_time >= window.since).where(events.event_time < window.as_of)
        devices = device_names(recent, definitions, config.evaluation.device_field)
    kept = timelines.persist(StorageLevel.MEMORY_AND_DISK)
    return Holdout(kept, cuts, since_s, n_partitions, items, devices)


def n_to_judge(holdout: Holdout, candidate: Candidate) -> int:
    """Interactions of the slices that it is judged by."""
    slices = holdout.slices_from(max(holdout.since_s, candidate.as_of_s + 1))
    return int(holdout.cuts.n_rows[slices.start : slices.stop].sum())


def judged(
    config: Config, holdout: Holdout, candidates: Sequence[Candidate], on_slice: Callable[[int], None]
) -> Iterator[Result]:
    """Judge one version after the other; `on_slice` is told the interactions of each slice that was judged."""
    how = judging(config, candidates)
    every = range(1, holdout.cuts.n_slices)
    n_of_task = n_choices_of_tasks(holdout.cuts, every, config.evaluation.max_choices, holdout.n_partitions)
    for each in candidates:
        yield _judge(config, holdout, each, how, n_of_task, on_slice)


def _judge(
    config: Config,
    holdout: Holdout,
    candidate: Candidate,
    how: Judging,
    n_of_task: Mapping[int, int],
    on_slice: Callable[[int], None],
) -> Result:
    from_s = max(holdout.since_s, candidate.as_of_s + 1)
    if different := _different_fields(config, candidate):
        return Result(candidate, not_judged=different, judged_from_s=from_s)
    parts = []
    for number in holdout.slices_from(from_s):
        if n_of_task[number]:
            n = n_of_task[number]
            parts.append(judge_slice(holdout.timelines, candidate.model, number, n, holdout.items, how))
            on_slice(int(holdout.cuts.n_rows[number]))
    found = [part.as_arrays() for part in parts if part is not None]
    if not found:
        seen = datetime.fromtimestamp(candidate.as_of_s, timezone.utc)
        reason = f"nobody chose anything after what it has learned from, which ends {seen:%Y-%m-%d %H:%M:%S} UTC"
        return Result(candidate, not_judged=reason, judged_from_s=from_s)
    choices = JudgedChoices.joined(found)
    figures = figures_of(choices, segments(config, holdout, choices), candidate.model.n_items)
    return Result(candidate, figures, choices, judged_from_s=from_s)


def segments(config: Config, holdout: Holdout, choices: JudgedChoices) -> dict[str, Flags]:
    """Who is judged apart."""
    fields, device = config.model.context_fields, config.evaluation.device_field
    place = fields.index(device) if device in fields else None
    return segments_of(choices, config.evaluation, place, holdout.devices)


def gate_decision(config: Config, holdout: Holdout, results: Sequence[Result]) -> Decision:
    """What the gate says of champion and challenger, by the choices that are later than what both have seen."""
    by_role = {result.candidate.role: result for result in results}
    champion, challenger = by_role.get(CHAMPION), by_role.get(CHALLENGER)
    if challenger is None:
        of_champion = champion.number if champion else None
        return without_judgement("no challenger", "no version is called challenger", of_champion, None)
    if champion is None:
        return without_judgement("promote", "there is no champion", None, challenger.number)
    old, new = champion.number, challenger.number
    features_of = {each.number: each.candidate.version.tags.get("features_version") for each in (champion, challenger)}
    if features_of[old] != features_of[new]:
        reason = f"version {new} was made with features version {features_of[new]}, the champion {old} with {features_of[old]}"
        return without_judgement("keep", reason, old, new)
    for each in (champion, challenger):
        if each.choices is None:
            return without_judgement("keep", f"version {each.number}: {each.not_judged}", old, new)
    first = max(champion.judged_from_s, challenger.judged_from_s)
    ours, theirs = (_after(holdout, each, first) for each in (challenger, champion))
    return decide(theirs, ours, segments(config, holdout, theirs.choices), config.evaluation.gate)


def judging(config: Config, candidates: Sequence[Candidate]) -> Judging:
    """How choices are drawn and judged: of every version the same."""
    wanted = config.evaluation
    reach = _reach(config, candidates)
    return Judging(config.model, wanted.k, wanted.relevant_hours, reach, wanted.new_item_days)


def features(config: Config) -> Definitions:
    """The definitions that name the fields of an event."""
    return load_definitions(config.features.definitions)


def _after(holdout: Holdout, result: Result, time_s: int) -> Judged:
    choices = result.choices
    assert choices is not None
    return Judged(
        result.number, choices.at(np.isin(choices.slice, holdout.slices_from(time_s))), result.candidate.model.n_items
    )


def _reach(config: Config, candidates: Sequence[Candidate]) -> int:
    """Of the history that is copied: what every version looks at, and what segments count."""
    models = [config.model, *(each.model.config for each in candidates)]
    return max(*(model.reach for model in models), config.evaluation.heavy_user_interactions)


def _different_fields(config: Config, candidate: Candidate) -> str:
    theirs = candidate.model.config
    differing = [name for name in FIELDS if getattr(theirs, name) != getattr(config.model, name)]
    if not differing:
        return ""
    said = ", ".join(f"model.{name} {getattr(theirs, name)}, now {getattr(config.model, name)}" for name in differing)
    return f"it was made with other fields of the event: {said}"


def _epoch_s(moment: datetime) -> int:
    return int(moment.timestamp())
