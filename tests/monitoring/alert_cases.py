"""Of each alert: figures by which it fires, and figures that look alike and by which it must not.

Figures are in promtool's notation, a value a minute from minute 0 on: `0+5x30` begins at 0 and rises by 5, thirty times.
"""

from dataclasses import dataclass

Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    """`fires` and `silent` at `minute`; in both, the last value goes on for ever as a series does that nobody tells any more."""

    fires: Series
    silent: Series
    minute: int = 30


def beat(state: str = "running", last_beat_minute: int = 30) -> Series:
    beats = " ".join(str(60 * min(minute, last_beat_minute)) for minute in range(31))
    return {
        'liveshelf_heartbeat_timestamp_seconds{stream="personalize"}': beats,
        f'liveshelf_stream_state{{state="{state}",stream="personalize"}}': "1x30",
    }


def lags(fast: str, slow: str) -> Series:
    """Lags up to 0.5 s, and the rest up to 10 s."""
    metric = "liveshelf_event_to_list_seconds_bucket"
    return {f'{metric}{{le="0.5"}}': fast, f'{metric}{{le="10"}}': slow, f'{metric}{{le="+Inf"}}': slow}


def code(task: str, exit_code: int) -> Series:
    return {f'liveshelf_job_exit_code{{task="{task}"}}': f"{exit_code}x30"}


def ran(*tasks: str) -> Series:
    return {f'liveshelf_job_end_timestamp_seconds{{task="{task}"}}': "0x2000" for task in tasks}


def records(valid: str, quarantined: str) -> Series:
    return {
        'liveshelf_records_total{verdict="valid"}': valid,
        'liveshelf_records_total{verdict="quarantined"}': quarantined,
    }


def answers(fast: str, slow: str) -> Series:
    """Requests answered within 8 ms, and the rest within 0.5 s."""
    bucket = 'liveshelf_serving_request_seconds_bucket{le="%s",route="lists"}'
    return {bucket % "0.008": fast, bucket % "0.25": fast, bucket % "0.5": slow, bucket % "+Inf": slow}


def produced(fast: str, slow: str) -> Series:
    """Events that Kafka took within 50 ms, and the rest within 5 s."""
    return {
        f'{PRODUCED}{{le="{le}"}}': values for le, values in {"0.05": fast, "1": fast, "5": slow, "+Inf": slow}.items()
    }


def memory(used: str, limit: int, instance: str = "a", last: int = 400) -> Series:
    return {
        f'{USED}{{instance="{instance}"}}': f"{used}x{last}",
        f'{LIMIT}{{instance="{instance}"}}': f"{limit}x{last}",
    }


def served(**by_reason: str) -> Series:
    return {f'liveshelf_serving_lists_total{{reason="{reason}"}}': values for reason, values in by_reason.items()}


STARTS = 'liveshelf_stream_starts_total{stream="personalize"}'
FAILURES = 'liveshelf_stream_failures_total{stream="personalize"}'
STALE = "liveshelf_serving_stale_lists_total"
LAG = 'liveshelf_stream_kafka_lag_records{stream="personalize"}'
FOLDED = 'liveshelf_interactions_total{fate="folded"}'
NDCG = 'liveshelf_progressive_ndcg{of="model"}'
PRODUCED = "liveshelf_collector_produce_seconds_bucket"
REFUSED = "liveshelf_collector_requests_refused_total"
UP = "liveshelf_serving_redis_up"
USED, LIMIT = "liveshelf_redis_memory_bytes", "liveshelf_redis_memory_limit_bytes"

CASES = {
    "LiveshelfStreamSilent": Case(beat("starting", last_beat_minute=20), beat("stopped", last_beat_minute=20)),
    "LiveshelfStreamFailed": Case(beat("failed"), beat("stopped")),
    "LiveshelfStreamCrashLoops": Case(
        {STARTS: "1x9 2 3 4 5 6x20", FAILURES: "0x10 1 2 3x20"},
        {STARTS: "1x9 2 3 4 5 6x20", FAILURES: "5x40"},  # run to the end of what there is, every few minutes
    ),
    "LiveshelfStreamErrors": Case({FAILURES: "0x9 1 2 3 4x20"}, {FAILURES: "4x9 5 6x20"}),
    "LiveshelfKafkaLagGrows": Case({LAG: "19000+1000x5 25000x30"}, {LAG: "90000-1000x30"}),
    "LiveshelfThroughputZero": Case({FOLDED: "0+100x60 6000x200"}, {FOLDED: "0+100x300"}, minute=240),
    "LiveshelfEventToListSlow": Case(lags("0+90x30", "0+100x30"), lags("0+1000x30", "0+1001x30")),
    "LiveshelfEventToListSlowerThanUsual": Case(
        lags("0+100x1440 144000+10x60", "0+100x1500"), lags("0+100x1500", "0+100x1500"), minute=1480
    ),
    "LiveshelfQuarantineHigh": Case(records("0+90x30", "0+10x30"), records("0+99x30", "0+1x30")),
    "LiveshelfAuditDiffers": Case(
        {"liveshelf_audit_differences_total": "0x10 1x20"}, {"liveshelf_audit_differences_total": "1x30"}
    ),
    "LiveshelfDataStale": Case(code("check_freshness", 3), code("check_freshness", 0)),
    "LiveshelfDrift": Case(code("detect_drift", 3), code("check_freshness", 3)),
    "LiveshelfLookFailed": Case(code("train_model", 1), code("train_model", 3)),
    "LiveshelfLookOverdue": Case(
        {'liveshelf_job_end_timestamp_seconds{task="check_freshness"}': "0x100"},
        {'liveshelf_job_end_timestamp_seconds{task="train_model"}': "0x100"},
        minute=90,
    ),
    "LiveshelfLookNeverRan": Case(
        {**ran("check_freshness", "evaluate_model", "maintain_tables"), "liveshelf_redis_up": "1x500 0x5 1x1500"},
        {**ran("check_freshness", "evaluate_model", "maintain_tables", "detect_drift"), "liveshelf_redis_up": "1x2000"},
        minute=1830,
    ),
    "LiveshelfServedRelevanceFell": Case(code("evaluate_model", 3), code("evaluate_model", 0)),
    "LiveshelfServingFallback": Case({"liveshelf_serving_fallback": "1x30"}, {"liveshelf_serving_fallback": "0x30"}),
    "LiveshelfListsUnfiled": Case({"liveshelf_lists_unfiled": "300000x30"}, {"liveshelf_lists_unfiled": "9000x30"}),
    "LiveshelfListKeeperFailing": Case(
        {"liveshelf_list_keeper_failing": "1x30"}, {"liveshelf_list_keeper_failing": "0 1 0x28"}
    ),
    "LiveshelfServingStandsIn": Case(
        served(own="0+86x30", too_old="0+7x30", failed="0+7x30"),
        served(own="0+95x30", no_list="0+50x30", asked_for="0+50x30", too_old="0+5x30"),
    ),
    "LiveshelfServingStale": Case(
        {STALE: "0+30x30", **served(own="0+100x30")}, {STALE: "0+10x30", **served(own="0+100x30")}
    ),
    "LiveshelfServingRedisAway": Case(
        {f'{UP}{{instance="a"}}': "1x20 0x20", f'{UP}{{instance="b"}}': "1x40"}, {UP: "1x27 0 1x20"}
    ),
    "LiveshelfServingSlow": Case(answers("0+90x30", "0+100x30"), answers("0+995x30", "0+1000x30")),
    "LiveshelfServingSlowerThanUsual": Case(
        answers("0+1000x1440 1440000+900x60", "0+1000x1500"), answers("0+900x1500", "0+1000x1500"), minute=1480
    ),
    "LiveshelfServingReadsFail": Case(
        {"liveshelf_serving_redis_errors_total": "0+60x30"}, {"liveshelf_serving_redis_errors_total": "60x30"}
    ),
    "LiveshelfLearnerFrozen": Case({"liveshelf_learner_frozen": "1x30"}, {"liveshelf_learner_frozen": "0x30"}),
    "LiveshelfRelevanceFell": Case({NDCG: "0.3x1440 0.2x60"}, {NDCG: "0.3x1440 0.27x60"}, minute=1490),
    "LiveshelfVersionsNotRegistered": Case(
        {"liveshelf_model_version_failures_total": "0+1x30"}, {"liveshelf_model_version_failures_total": "7x30"}
    ),
    "LiveshelfServiceDown": Case(
        {'up{job="liveshelf"}': "0x30"}, {'up{job="liveshelf"}': "1x30", 'up{job="other"}': "0x30"}
    ),
    "LiveshelfRedisDown": Case({"liveshelf_redis_up": "0x30"}, {"liveshelf_redis_up": "1x30"}),
    "LiveshelfRedisFull": Case({USED: "95x30", LIMIT: "100x30"}, {USED: "95x30", LIMIT: "0x30"}),
    "LiveshelfRedisGrowsWithoutLimit": Case(
        memory("1000000000+2000000", 0),
        {
            **memory("2000000000+200000", 0),
            **memory("1000000000+2000000", 8_000_000_000, "b"),
            **memory("1000000+2000", 0, "c"),
        },
        minute=390,
    ),
    "LiveshelfCollectorRefuses": Case(
        {f'{REFUSED}{{kind="kafka"}}': "0+9x30"}, {f'{REFUSED}{{kind="json"}}': "0+9x30"}
    ),
    "LiveshelfCollectorSlow": Case(produced("0+90x30", "0+100x30"), produced("0+100x30", "0+100x30")),
    "LiveshelfCollectorSlowerThanUsual": Case(
        produced("0+1000x1440 1440000+900x60", "0+1000x1500"), produced("0+900x1500", "0+1000x1500"), minute=1480
    ),
}
