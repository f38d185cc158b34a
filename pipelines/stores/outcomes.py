"""How a job that ends ended, for whoever watches: one small JSON document a job."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice

import orjson
from redis import Redis

from pipelines.stores.keys import outcome_key

TTL_SECONDS = 35 * 24 * 3600
MOST_FIGURES, MOST_LABELS = 24, 250  # of each figure; what is beyond is left out
Figures = Mapping[str, Mapping[str, float]]
Told = Mapping[str, Mapping[str, float | None]]  # as a job gives them


@dataclass(frozen=True)
class Outcome:
    """The newest run of a job."""

    ended_ms: int  # epoch ms
    seconds: float  # it took
    exit_code: int  # 0 well, 1 could not do its work, 3 found what somebody should look at
    said: str = ""  # for people, where it is not well; a line each finding
    figures: Figures = field(default_factory=dict)  # what it found: figure, its unit in the name → of what → number


@dataclass(frozen=True)
class OutcomeStore:
    """Tells and reads outcomes. Safe to replay: the newest wins."""

    client: Redis

    def tell(self, job: str, outcome: Outcome) -> None:
        """The job has just ended so."""
        self.client.set(outcome_key(job), orjson.dumps(asdict(outcome)), ex=TTL_SECONDS)

    def read(self, jobs: Sequence[str]) -> dict[str, Outcome]:
        """The newest outcome of each of `jobs` that has one."""
        values: list[bytes | None] = self.client.mget([outcome_key(job) for job in jobs])  # type: ignore[assignment]
        told = zip(jobs, values, strict=True)
        return {job: Outcome(**orjson.loads(value)) for job, value in told if value is not None}


def bounded(figures: Told) -> dict[str, dict[str, float]]:
    """The first MOST_FIGURES with the first MOST_LABELS of each; without what is no finite number, and figures of nothing."""
    kept = {name: _numbers(of) for name, of in islice(figures.items(), MOST_FIGURES)}
    return {name: of for name, of in kept.items() if of}


def _numbers(of: Mapping[str, float | None]) -> dict[str, float]:
    told = ((label, value) for label, value in of.items() if value is not None and math.isfinite(value))
    return {label: float(value) for label, value in islice(told, MOST_LABELS)}
