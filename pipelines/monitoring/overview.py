"""What Redis and the services say of the whole, at one look, and what of it is trouble."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from pipelines.monitoring.meanings import JOBS_THAT_END, OF_STREAM
from pipelines.monitoring.services import Services
from pipelines.monitoring.standing import unfiled_lists, waiting_users
from pipelines.monitoring.words import lasted
from pipelines.stores.heartbeat import HeartbeatStore
from pipelines.stores.history import HistoryStore
from pipelines.stores.outcomes import Outcome, OutcomeStore
from pipelines.stores.serving_mode import ServingMode, ServingModeStore

SILENT_SECONDS = 60  # a stream gives a sign of life every five
FAR_BEHIND_RECORDS = 20_000
MUCH_QUARANTINED = 0.05
FILING, JUDGED = "validate_events", ("n_valid", "n_quarantined")
RECENT_MS, N_RECENT_POINTS = 5 * 60_000, 7  # as long as the alert looks back; a point a minute
FAILED, FOUND = 1, 3  # exit codes
MOST_LINES = 3  # of what a job said
Beat = Mapping[str, Any]
Figures = Mapping[str, float]


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
    filed_before: Figures = field(
        default_factory=dict
    )  # totals of validate_events RECENT_MS ago; none of a younger one

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
                filed_before=_filed_before(client, now_ms - RECENT_MS),
            )
        except RedisError as error:
            return cls(now_ms, problem=f"{type(error).__name__}: {error}", services=answers)

    def silence_seconds(self, stream: str) -> float:
        """How long ago a stream gave its last sign of life."""
        return (self.as_of_ms - int(self.streams[stream]["as_of_ms"])) / 1000

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


def quarantined_share(beat: Beat, before: Figures | None = None) -> float:
    """Share of the records that were quarantined since totals were as `before`: else, or where they fell, since the start."""
    since = [(before or {}).get(name, 0) for name in JUDGED]
    told = [beat.get(name, 0) for name in JUDGED]
    if any(now < then for now, then in zip(told, since, strict=True)):
        since = [0, 0]
    n_good, n_bad = (now - then for now, then in zip(told, since, strict=True))
    return n_bad / (n_good + n_bad) if n_bad else 0.0


def _filed_before(client: Redis, at_ms: int) -> Figures:
    noted = HistoryStore(client).read(FILING, N_RECENT_POINTS)
    return next((point.figures for point in reversed(noted) if point.at_ms <= at_ms), {})


def _of_streams(overview: Overview) -> Iterator[str]:
    for stream, beat in overview.streams.items():
        if beat.get("state") == "failed":
            yield f"{stream} ended with an error"
        elif overview.is_silent(stream):
            yield f"{stream} has given no sign of life for {lasted(overview.silence_seconds(stream))}"
    for stream, beat in overview.streams.items():
        if (beat.get("kafka_lag") or 0) > FAR_BEHIND_RECORDS:
            yield f"{stream} is {beat['kafka_lag']:,} records behind Kafka"
    if (share := quarantined_share(overview.streams.get(FILING, {}), overview.filed_before)) > MUCH_QUARANTINED:
        yield f"{FILING} quarantined {share:.0%} of the records of the last five minutes"


def _of_serving(overview: Overview) -> Iterator[str]:
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
