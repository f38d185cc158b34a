"""What `check_freshness` looks at. What cannot be read is a reading too, with the reason."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from redis import Redis
from redis.exceptions import RedisError

from pipelines.config import Config
from pipelines.errors import InputError, LiveshelfError
from pipelines.features.definitions import load_definitions
from pipelines.freshness.ages import Reading, newest
from pipelines.local.addresses import with_running_kafka
from pipelines.sources.checkpoints import committed_offsets, next_table_version
from pipelines.sources.record_times import RecordTimes, record_times
from pipelines.sources.table_ages import ROW_TIMES, TableAge, tables_in
from pipelines.stores.heartbeat import HeartbeatStore
from pipelines.stores.list_log import ListLog
from pipelines.stores.ranks import RankStore

KAFKA_STREAMS = ("personalize", "validate_events")
_KNOWN = (LiveshelfError, RedisError, OSError, ValueError, KeyError)


@dataclass(frozen=True)
class Found:
    """All readings, and when the newest trained version of the model was registered."""

    readings: list[Reading]
    trained_ms: int | None


def look_at_all(config: Config, client: Redis | None, known_event_ms: int | None, now_ms: int) -> Found:
    """Read everything, side by side. `known_event_ms`: of the newest event that an earlier look saw.

    `client` is None where Redis has no address. Raises nothing that a server's absence could cause.
    """
    with ThreadPoolExecutor(4) as pool:
        topic = pool.submit(_topic_and_streams, config, known_event_ms, now_ms)
        tables = pool.submit(_tables, config)
        model = pool.submit(_model, config)
        lists = pool.submit(_lists, client)
        streams = [*topic.result(), _read("build_features", partial(_of_table, config))]
        champion, trained_ms = model.result()
        beats = [_heartbeat(client, job) for job in (*KAFKA_STREAMS, "build_features")]
        return Found([*streams, *beats, *lists.result(), *tables.result(), champion], trained_ms)


def _read(what: str, read: Callable[[], Reading]) -> Reading:
    try:
        return read()
    except _KNOWN as error:
        return Reading(what, problem=(str(error).splitlines() or [type(error).__name__])[0])


def _topic_and_streams(config: Config, known_event_ms: int | None, now_ms: int) -> list[Reading]:
    try:
        with record_times(with_running_kafka(config).kafka) as times:
            newest_ms = newest([*times.newest_ms(), known_event_ms], now_ms)
            streams = [_read(job, partial(_of_topic, config, job, times)) for job in KAFKA_STREAMS]
    except _KNOWN as error:
        events = Reading("events", known_event_ms, problem=str(error), sleeps=True)
        return [events, *(Reading(job, problem="it needs Kafka, see events") for job in KAFKA_STREAMS)]
    return [Reading("events", newest_ms, "" if newest_ms else "the topic has no record", sleeps=True), *streams]


def _of_topic(config: Config, job: str, times: RecordTimes) -> Reading:
    checkpoint = _checkpoint(config.checkpoint(job, "v1"))
    if not checkpoint.exists():
        return Reading(job, note=f"it never started: no checkpoint at {checkpoint}")
    waiting = times.waiting(committed_offsets(checkpoint, config.kafka.topic))
    note = f"{waiting.n_records:,} records wait" if waiting.n_records else "nothing waits"
    return Reading(job, waiting.since_ms, note, is_idle=not waiting.n_records)


def _of_table(config: Config) -> Reading:
    version = load_definitions(config.features.definitions).version
    checkpoint = _checkpoint(config.checkpoint("build_features", f"v{version}"))
    if not checkpoint.exists():
        return Reading("build_features", note=f"it never started: no checkpoint at {checkpoint}")
    n, since_ms = TableAge(config.table("events")).waiting_since_ms(next_table_version(checkpoint))
    return Reading("build_features", since_ms, f"{n:,} commits wait" if n else "nothing waits", is_idle=not n)


def _checkpoint(path: str) -> Path:
    if "://" in path:
        raise InputError(f"a checkpoint is read from a folder of this machine, got {path}; mount it, or set no limits")
    return Path(path)


def _heartbeat(client: Redis | None, job: str) -> Reading:
    def read() -> Reading:
        beat: dict[str, Any] | None = HeartbeatStore(_needed(client)).read(job)
        if beat is None:
            return Reading(what, note="no sign of life in seven days")
        return Reading(what, int(beat["as_of_ms"]), str(beat.get("state", "")))

    what = f"heartbeat:{job}"
    return _read(what, read)


def _lists(client: Redis | None) -> list[Reading]:
    def lists() -> Reading:
        return Reading("lists", ListLog(_needed(client)).newest_ms(), sleeps=True)

    def fallback_lists() -> Reading:
        document = RankStore(_needed(client), ttl_seconds=0).read_fallback("all")
        return Reading("fallback_lists", orjson.loads(document)["as_of_ms"] if document else None, sleeps=True)

    return [_read("lists", lists), _read("fallback_lists", fallback_lists)]


def _needed(client: Redis | None) -> Redis:
    if client is None:
        raise InputError("no Redis, see serving")
    return client


def _tables(config: Config) -> list[Reading]:
    def read(name: str) -> Reading:
        at_ms = TableAge(config.table(name)).newest_row_ms(ROW_TIMES.get(name))
        return Reading(f"table:{name}", at_ms, "" if at_ms else "no row", sleeps=True)

    names: Sequence[str] = sorted({*tables_in(config.lake_root), *config.freshness.tables})
    return [_read(f"table:{name}", partial(read, name)) for name in names]


def _model(config: Config) -> tuple[Reading, int | None]:
    """The champion, and when the newest trained version was registered."""
    from pipelines.tracking.connection import look  # takes two seconds, so beside the others
    from pipelines.tracking.registry import Registry
    from pipelines.tracking.versions import CHAMPION

    try:
        tracking = look(config.tracking)
        versions = Registry(tracking).versions() if tracking else []
    except _KNOWN as error:
        return Reading("champion", problem=str(error)), None
    trained_ms = max((each.created_ms for each in versions if each.tags.get("kind") == "trained"), default=None)
    champion = next((each for each in versions if CHAMPION in each.aliases), None)
    if champion is None:
        return Reading(
            "champion", note="there is none: `liveshelf train_model`, then `liveshelf models promote`"
        ), trained_ms
    return Reading("champion", champion.created_ms, f"version {champion.number}"), trained_ms
