"""How a job that ends ended, for whoever watches: one small JSON document a job."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import orjson
from redis import Redis

from pipelines.stores.keys import outcome_key

TTL_SECONDS = 35 * 24 * 3600


@dataclass(frozen=True)
class Outcome:
    """The newest run of a job."""

    ended_ms: int  # epoch ms
    seconds: float  # it took
    exit_code: int  # 0 well, 1 could not do its work, 3 found what somebody should look at
    said: str = ""  # for people, where it is not well; a line each finding


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
