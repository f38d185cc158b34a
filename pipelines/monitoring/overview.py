"""What Redis and the services say of the whole, at one look, and what of it is trouble."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from pipelines.monitoring.meanings import JOBS_THAT_END, OF_STREAM
from pipelines.monitoring.recent import Figures, before, share_since
from pipelines.monitoring.services import Services
from pipelines.monitoring.standing import unfiled_lists, waiting_users
from pipelines.monitoring.words import lasted
from pipelines.stores.heartbeat import HeartbeatStore
from pipelines.stores.outcomes import Outcome, OutcomeStore
from pipelines.stores.serving_mode import ServingMode, ServingModeStore
from pipelines.tally import LATE_MS

SILENT_SECONDS = 60  # a stream gives a sign of life every five
FAR_BEHIND_RECORDS = 20_000
MUCH_QUARANTINED = 0.05
MUCH_LATE = 0.01
FILING, HOT_PATH = "validate_events", "personalize"
# As long as the alerts look back: of lists that come late twice ten minutes, one after the other.
FILING_MINUTES, TIMED_MINUTES = 5, (20, 10)
FAILED, FOUND = 1, 3  # exit codes
MOST_LINES = 3  # of what a job said
Beat = Mapping[str, Any]


@dataclass(frozen=True)
class Overview:
    """All of it as of one instant."""

    as_of_ms: int
    problem: str = ""  # why Redis could not be asked; then there is nothing else
    streams: Mapping[str, Beat] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    serving: ServingMode = field(default_factory=ServingMode)
    waiting: Mapping[str, int] = field(default_factory=dict)  # users whose list is to be made again, by queue
    n_unfiled: int = 0  # published lists that are not in Delta yet
    memory_bytes: int = 0
    services: Mapping[str, bool] = field(default_factory=dict)  # whether those answer that have answered before
    filed_before: Figures = field(default_factory=dict)  # totals FILING_MINUTES ago; none of a stream that is younger
    timed_before: tuple[Figures, ...] = ()  # totals of the hot path, TIMED_MINUTES ago

    @classmethod
    def read(cls, client: Redis, services: Services | None = None) -> "Overview":
        """Look at Redis, and whether `services` answer."""
        now_ms, beats = time.time_ns() // 1_000_000, HeartbeatStore(client)
        answers = services.look() if services else {}
        try:
            return cls(
                now_ms,
                streams={job: beat for job in OF_STREAM if (beat := beats.read(job)) is not None},
                outcomes=OutcomeStore(client).read(JOBS_THAT_END),
                serving=ServingModeStore(client).read(),
                waiting=waiting_users(client, now_ms),
                n_unfiled=unfiled_lists(client),
                memory_bytes=client.info("memory")["used_memory"],
                services=answers,
                filed_before=before(client, FILING, now_ms, FILING_MINUTES)[0],
                timed_before=before(client, HOT_PATH, now_ms, *TIMED_MINUTES),
            )
        except RedisError as error:
            return cls(now_ms, problem=f"{type(error).__name__}: {error}", services=answers)

    def silence_seconds(self, stream: str) -> float:
        """How long ago a stream gave its last sign of life."""
        return (self.as_of_ms - int(self.streams[stream]["as_of_ms"])) / 1000

    def old_as_of_ms(self, stream: str) -> int | None:
        """When a stream told what is shown of it, if that is no longer how it is: it has ended, or is silent."""
        is_old = stream in self.streams and self.silence_seconds(stream) > SILENT_SECONDS
        return int(self.streams[stream]["as_of_ms"]) if is_old else None

    def kafka_lag(self, stream: str) -> int | None:
        """Records it has not read; None where that is not known any more."""
        return self.streams[stream].get("kafka_lag") if self.old_as_of_ms(stream) is None else None

    def is_silent(self, stream: str) -> bool:
        """Whether it has died without a word: it ought to say that it lives, and does not."""
        has_ended = self.streams[stream].get("state") in ("stopped", "failed")
        return not has_ended and self.silence_seconds(stream) > SILENT_SECONDS


def troubles(overview: Overview) -> list[str]:
    """What somebody should look at, the worst first; a line each."""
    down = [f"{job} does not answer any more" for job, answers in overview.services.items() if not answers]
    if overview.problem:
        return [f"Redis does not answer: {overview.problem}", *down]
    return [*_of_streams(overview), *down, *_of_serving(overview), *_of_model(overview), *_of_jobs(overview)]


def quarantined_share(beat: Beat, filed_before: Figures | None = None) -> float:
    """Share of the records that were quarantined since totals were as `filed_before`: else since the start."""
    return share_since(beat, filed_before or {}, "n_quarantined", ("n_valid", "n_quarantined"))


def late_share(overview: Overview) -> float:
    """Share of the lists of the last ten minutes that came later than LATE_MS; 0 unless it was MUCH_LATE before, too."""
    told = [*overview.timed_before, overview.streams.get(HOT_PATH, {})]
    shares = [share_since(now, then, "n_late", ("n_timed",)) for then, now in pairwise(told) if then]
    return shares[-1] if len(shares) == len(TIMED_MINUTES) and min(shares) > MUCH_LATE else 0.0


def _of_streams(overview: Overview) -> Iterator[str]:
    for stream, beat in overview.streams.items():
        if beat.get("state") == "failed":
            yield f"{stream} ended with an error"
        elif overview.is_silent(stream):
            yield f"{stream} has given no sign of life for {lasted(overview.silence_seconds(stream))}"
    for stream in overview.streams:
        if (lag := overview.kafka_lag(stream) or 0) > FAR_BEHIND_RECORDS:
            yield f"{stream} is {lag:,} records behind Kafka"
    filing = overview.streams.get(FILING, {}) if overview.old_as_of_ms(FILING) is None else {}
    if (share := quarantined_share(filing, overview.filed_before)) > MUCH_QUARANTINED:
        yield f"{FILING} quarantined {share:.0%} of the records of the last five minutes"


def _of_serving(overview: Overview) -> Iterator[str]:
    if share := late_share(overview):
        yield f"lists come late: {share:.0%} of those of the last ten minutes more than {LATE_MS / 1000:g} s after their event"
    if overview.serving.mode == "fallback":
        yield f"nobody gets a personal list: {overview.serving.reason}"
    if error := overview.streams.get("personalize", {}).get("lists_error"):
        yield f"lists that time makes fail: {error}"


def _of_model(overview: Overview) -> Iterator[str]:
    if because := overview.streams.get("personalize", {}).get("frozen_because"):
        yield f"learning has stopped: {because}"


def _of_jobs(overview: Overview) -> Iterator[str]:
    said = {FAILED: "could not do its work", FOUND: "found what somebody should look at"}
    for job, outcome in overview.outcomes.items():
        if outcome.exit_code in said:
            lines = outcome.said.splitlines()
            found = "; ".join(
                line.strip() for line in (lines[1:] if outcome.exit_code == FOUND else lines)[:MOST_LINES]
            )
            yield f"{job} {said[outcome.exit_code]}{': ' + found if found else ''}"
