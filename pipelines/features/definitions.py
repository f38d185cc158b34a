"""What the features are: conf/features.yaml, typed and checked. Both compilers read their meaning from here.

One entry makes one feature, or one for each of its half-lives: `interest` with half-lives hour and day makes
`interest_hour` and `interest_day`. A feature's name is its column's name everywhere.
"""

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError

from pipelines.errors import ConfigError
from pipelines.features.entries import (
    DecayedCount,
    DecayedSum,
    Document,
    Entry,
    Exploration,
    Fallbacks,
    LastTime,
    Rate,
    keys_of,
)
from pipelines.features.online import OnlineSums
from pipelines.schemas import INTERACTION_CODES

HOUR_SECONDS = 3600.0


@dataclass(frozen=True)
class Feature:
    """One column of a feature table."""

    name: str
    entry_name: str
    entry: Entry
    half_life_s: float | None = None  # of the decayed kinds

    @property
    def entity(self) -> str:
        return self.entry.entity

    @property
    def kind(self) -> str:
        return self.entry.kind

    @property
    def state(self) -> str:
        """The column that holds what later events are merged into; of some kinds it is the feature itself."""
        return self.name if isinstance(self.entry, DecayedSum | DecayedCount | LastTime) else f"__{self.name}"


@dataclass(frozen=True)
class Sum:
    """A decayed sum: Σ weight(type) · value · 2^(−age / half-life). What decayed sums, counts and rates are made of."""

    column: str
    weights: Mapping[str, float]  # by event type
    value: str | None  # the field that is summed; None: 1
    half_life_s: float


@dataclass(frozen=True)
class Rank:
    """An order of all rows of an entity by one feature, kept in Redis."""

    name: str
    feature: Feature
    top: int


@dataclass(frozen=True)
class Definitions:
    """All features of one version."""

    document: Document

    @property
    def version(self) -> int:
        return self.document.version

    @property
    def entities(self) -> Mapping[str, tuple[str, ...]]:
        """Entity → its keys, which are the key columns of its table."""
        return self.document.entities

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """Every feature, in the order of the file."""
        return tuple(
            feature for name, entry in self.document.features.items() for feature in self._made_of(name, entry)
        )

    @cached_property
    def meaning(self) -> str:
        """Hash of all that decides a value; texts for people and what is published do not."""
        document = self.document.model_dump(mode="json", exclude={"ranks", "fallbacks", "exploration", "version"})
        for entry in document["features"].values():
            del entry["about"]
        text = json.dumps(document, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def of(self, entity: str) -> tuple[Feature, ...]:
        """Return the features of `entity`."""
        return tuple(feature for feature in self.features if feature.entity == entity)

    def feature(self, name: str) -> Feature:
        """Find a feature. Raises KeyError."""
        return {feature.name: feature for feature in self.features}[name]

    def sums(self, entity: str) -> tuple[Sum, ...]:
        """Return the decayed sums that the features of `entity` are made of."""
        return tuple(part for feature in self.of(entity) for part in sums_of(feature))

    def event_types(self, entity: str) -> tuple[str, ...]:
        """Return the event types that count for `entity`: the newest of them says as of when its row is."""
        return tuple(sorted({kind for feature in self.of(entity) for kind in feature.entry.counted}))

    @property
    def ranks(self) -> tuple[Rank, ...]:
        return tuple(Rank(name, self.feature(r.feature), r.top) for name, r in self.document.ranks.items())

    @property
    def fallbacks(self) -> Fallbacks | None:
        return self.document.fallbacks

    @property
    def exploration(self) -> Exploration | None:
        return self.document.exploration

    def online(self) -> OnlineSums:
        """Return the sums that profiles carry: those of the user's features that are marked `online`."""
        sums = [part for feature in self.of("user") if feature.entry.online for part in sums_of(feature)]
        weights = np.zeros((128, len(sums)))
        for column, part in enumerate(sums):
            for event_type, weight in part.weights.items():
                weights[INTERACTION_CODES[event_type], column] = weight
        return OnlineSums(
            self.version,
            tuple(part.column for part in sums),
            weights,
            np.array([part.half_life_s for part in sums], np.float64),
        )

    def _made_of(self, name: str, entry: Entry) -> list[Feature]:
        if not isinstance(entry, DecayedSum | DecayedCount | Rate):
            return [Feature(name, name, entry)]
        hours = self.document.half_lives_hours
        chosen = entry.half_lives or tuple(hours)
        return [Feature(f"{name}_{half}", name, entry, hours[half] * HOUR_SECONDS) for half in chosen]


def sums_of(feature: Feature) -> tuple[Sum, ...]:
    """Return the decayed sums that `feature` is made of: one, two of a rate (hits, of), none of the other kinds."""
    entry, half_life_s = feature.entry, feature.half_life_s or 0.0
    if isinstance(entry, DecayedSum):
        return (Sum(feature.name, entry.events, entry.value, half_life_s),)
    if isinstance(entry, DecayedCount):
        return (Sum(feature.name, dict.fromkeys(entry.events, 1.0), None, half_life_s),)
    if isinstance(entry, Rate):
        parts = {"hits": entry.hits, "of": entry.of}
        return tuple(
            Sum(f"{feature.state}_{part}", dict.fromkeys(types, 1.0), None, half_life_s)
            for part, types in parts.items()
        )
    return ()


def load_definitions(path: str | Path) -> Definitions:
    """Read conf/features.yaml.

    Raises ConfigError, naming file, key, what was expected and what came.
    """
    path = Path(path)
    try:
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); `features.definitions` in the configuration names it"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from error
    try:
        definitions = Definitions(Document.model_validate(values))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path.name}: {_explain(p)}" for p in error.errors())) from error
    _check_names(path.name, definitions)
    return definitions


def _explain(problem: Any) -> str:
    """Say of one of pydantic's problems where it is, what was expected and what came."""
    *parents, key = (str(part) for part in problem["loc"]) if problem["loc"] else ("",)
    if problem["type"] == "extra_forbidden":
        known = keys_of(parents)
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else "."
        return f"{'.'.join(parents) or 'the file'}: unknown key '{key}'{hint} Known: {', '.join(known)}"
    message: str = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return message
    came = "" if isinstance(problem["input"], dict) else f", got {problem['input']!r}"
    return f"{'.'.join([*parents, key])}: {message}{came}"


def _check_names(file_name: str, definitions: Definitions) -> None:
    names = [feature.name for feature in definitions.features]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"{file_name}: features: two entries make a feature '{twice[0]}'; give one another name")
    for name, rank in definitions.document.ranks.items():
        if rank.feature not in names:
            raise ConfigError(f"{file_name}: ranks: {name}: no feature '{rank.feature}'. Known: {', '.join(names)}")
    if definitions.exploration and definitions.exploration.feature not in names:
        feature = definitions.exploration.feature
        raise ConfigError(f"{file_name}: exploration: no feature '{feature}'. Known: {', '.join(names)}")
