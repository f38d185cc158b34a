"""What is wrong, at one look."""

import io

import pytest
from rich.console import Console

from jobs._status_texts import screen
from pipelines.monitoring.overview import Overview, troubles
from pipelines.stores.history import Point
from pipelines.stores.outcomes import Outcome
from pipelines.stores.serving_mode import ServingMode

NOW_MS = 1_790_000_000_000


def beat(seconds_ago: float = 2.0, **figures) -> dict:
    return {"as_of_ms": NOW_MS - round(seconds_ago * 1000), "state": "running", **figures}


def an_overview(**more) -> Overview:
    return Overview(NOW_MS, **more)


def filed(n_valid: int, n_quarantined: int, before: dict) -> Overview:
    return an_overview(
        streams={"validate_events": beat(n_valid=n_valid, n_quarantined=n_quarantined)}, filed_before=before
    )


LATE = "lists come late: 5% of those of the last ten minutes more than 5 s after their event"


def timed(*told: tuple[int, int] | None) -> Overview:
    """Lists timed and those of them that were late, in all: twenty and ten minutes ago, and now."""
    totals = [dict(zip(("n_timed", "n_late"), each or (), strict=False)) for each in told]
    return an_overview(streams={"personalize": beat(**totals[-1])}, timed_before=tuple(totals[:-1]))


@pytest.mark.parametrize(
    ("overview", "expected"),
    [
        pytest.param(an_overview(), [], id="nothing-told-yet"),
        pytest.param(an_overview(streams={"personalize": beat(kafka_lag=19_000)}), [], id="well"),
        pytest.param(
            an_overview(streams={"personalize": beat(90)}),
            ["personalize has given no sign of life for 90 s"],
            id="silent",
        ),
        pytest.param(
            an_overview(streams={"personalize": beat(3 * 3600)}),
            ["personalize has given no sign of life for 3 h"],
            id="silent-for-long",
        ),
        pytest.param(an_overview(streams={"personalize": beat(90, state="stopped")}), [], id="stopped-by-somebody"),
        pytest.param(
            an_overview(streams={"personalize": beat(9, state="failed")}), ["personalize ended with an error"], id="failed"
        ),
        pytest.param(
            an_overview(streams={"build_features": beat(), "personalize": beat(kafka_lag=21_000)}),
            ["personalize is 21,000 records behind Kafka"],
            id="behind",
        ),
        pytest.param(
            an_overview(streams={"validate_events": beat(n_valid=90, n_quarantined=10)}),
            ["validate_events quarantined 10% of the records of the last five minutes"],
            id="much-quarantined",
        ),
        pytest.param(
            an_overview(streams={"validate_events": beat(3_600, state="stopped", n_valid=90, n_quarantined=10)}), [],
            id="much-quarantined-by-one-that-has-ended",
        ),
        pytest.param(filed(90, 10, {"n_valid": 80.0, "n_quarantined": 10.0}), [], id="much-quarantined-long-ago"),
        pytest.param(
            filed(900, 20, {"n_valid": 890.0, "n_quarantined": 10.0}),
            ["validate_events quarantined 50% of the records of the last five minutes"],
            id="much-quarantined-since-then",
        ),
        pytest.param(
            filed(90, 10, {"n_valid": 800.0, "n_quarantined": 10.0}),
            ["validate_events quarantined 10% of the records of the last five minutes"],
            id="much-quarantined-by-a-stream-that-began-anew",
        ),
        pytest.param(timed((0, 0), (100, 5), (200, 10)), [LATE], id="lists-are-late"),
        pytest.param(timed((0, 0), (100, 50), (200, 51)), [], id="lists-were-late-before"),
        pytest.param(timed((0, 0), (100, 1), (200, 51)), [], id="lists-are-late-since-a-moment"),
        pytest.param(timed((0, 0), (100, 50), (100, 50)), [], id="no-list-is-made"),
        pytest.param(timed((0, 0), (100, 50), (20, 1)), [LATE], id="lists-are-late-of-a-process-that-began-anew"),
        pytest.param(timed(None, (100, 50), (200, 100)), [], id="lists-were-late-when-it-began"),
        pytest.param(
            an_overview(serving=ServingMode("fallback", "a test")), ["nobody gets a personal list: a test"], id="fallback"
        ),
        pytest.param(
            an_overview(streams={"personalize": beat(frozen_because="log-loss 9")}), ["learning has stopped: log-loss 9"],
            id="frozen",
        ),
        pytest.param(
            an_overview(outcomes={"detect_drift": Outcome(1, 2.0, 3), "train_model": Outcome(1, 2.0, 1)}),
            ["detect_drift found what somebody should look at", "train_model could not do its work"],
            id="jobs",
        ),
        pytest.param(
            an_overview(services={"collect_events": False, "serve_lists": True}),
            ["collect_events does not answer any more"],
            id="a-service-is-down",
        ),
        pytest.param(
            Overview(NOW_MS, problem="ConnectionError: refused"), ["Redis does not answer: ConnectionError: refused"],
            id="redis-away",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(overview, expected):
    assert troubles(overview) == expected


def drawn(overview: Overview, width: int = 120, histories=None) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(screen(overview, histories or {}))
    return console.file.getvalue()


def test_the_screen_says_how_old_it_is_what_a_silent_stream_told():
    def told(seconds_ago: float) -> str:
        hot = beat(seconds_ago, kafka_lag=4_321, model_items=7)
        at_ms = NOW_MS - round(seconds_ago * 1000)
        notes = [Point(at_ms - 60_000, {"lag_p50_ms": 100.0}), Point(at_ms, {"lag_p50_ms": 210.0})]
        return " ".join(drawn(an_overview(streams={"personalize": hot}), histories={"personalize": notes}).split())

    alive, dead = told(3), told(3 * 3_600)

    assert "4,321" in alive and "4,321" not in dead
    for part in ("▄█ 3 h ago", "lists 3 h ago served:", "model 3 h ago 7 items"):
        assert part in dead and part.replace(" 3 h ago", "") in alive, part


def test_the_screen_of_a_shop_at_work():
    hot = beat(batch_as_of_ms=NOW_MS, n_lists=1_234, n_swept_lists=5, lag_p50_ms=210.4, lag_p99_ms=900.0,
               model_version="7", model_items=500, progressive_ndcg=0.1234, progressive_ndcg_of_popularity=0.1,
               kafka_lag=12)  # fmt: skip
    filing = beat(
        n_valid=990,
        n_quarantined=10,
        quarantined_by_rule={"[odd] rule": 9, "b": 1},
        n_known_already=20,
        last_quarantined={"b": "0123456789abcdef"},
    )
    told = drawn(
        an_overview(
            streams={"validate_events": filing, "personalize": hot},
            outcomes={
                "train_model": Outcome(NOW_MS, 61.0, 0),
                "detect_drift": Outcome(NOW_MS, 9.0, 0, "", {"psi": {"[odd]": 0.05}, "psi_limit": {"[odd]": 0.2}}),
                "check_freshness": Outcome(
                    NOW_MS, 3.0, 0, "", {"age_seconds": {"events": 30.0}, "soft_limit_seconds": {"events": 600.0}}
                ),
                "evaluate_model": Outcome(NOW_MS, 60.0, 0, "", {"ndcg": {"champion": 0.25}}),
            },
            waiting={"due": 3, "renewal": 0},
            services={"collect_events": True},
        ),
        histories={"personalize": [Point(1, {"lag_p50_ms": 100.0}), Point(2, {"lag_p50_ms": 210.0})]},
    )

    for part in (
        "all well", "made 1,234", "event to list p50 210 ms", "version 7", "NDCG before learning 0.123", "valid 990",
        "quarantined 10", "1.0%; [odd] rule 9, b 1 such as 0123456789ab", "waiting: 3 due", "train_model", "61 s", "running",
        "collect_events", "answers",
        "event to list, ms 210 ▄█", "[odd] 0.05 of 0.2", "events 30 s of 10 min", "NDCG of later choices: champion 0.250",
    ):  # fmt: skip
        assert part in told, part


@pytest.mark.parametrize(
    "overview",
    [
        pytest.param(an_overview(), id="empty"),
        pytest.param(Overview(NOW_MS, problem="gone"), id="redis-away"),
        pytest.param(an_overview(streams={"personalize": {"as_of_ms": NOW_MS}}), id="a-stream-of-another-version"),
    ],
)
@pytest.mark.parametrize("width", [40, 120])
def test_the_screen_is_drawn_whatever_there_is(overview, width):
    assert drawn(overview, width).strip()


def test_an_empty_shop_is_told_what_to_start():
    assert "no stream has told of itself yet" in drawn(an_overview())
