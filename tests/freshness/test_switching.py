"""When personal lists go and come back, by an injected clock."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.freshness.ages import Age
from pipelines.freshness.switching import Serving, Watch, decide, refresh_reason
from pipelines.freshness_sections import Limits

HARD, SOFT = Limits(soft_minutes=10, hard_minutes=60), Limits(soft_minutes=10)
NOW, RECOVER = 1_800_000_000_000, 300_000
HOUR = 3_600_000


def an_age(verdict: str, limits: Limits = HARD, what: str = "events") -> Age:
    return Age(what, verdict, 4_000.0, limits, "away" if verdict == "unreadable" else "")


class Shop:
    """What is remembered and served, look after look."""

    def __init__(self, **serving) -> None:
        self.watch, self.serving = Watch(), Serving(**serving)
        self.changes = []

    def look(self, at_ms: int, *verdicts: str):
        decision = decide(self.watch, self.serving, [an_age(verdict) for verdict in verdicts], NOW + at_ms, RECOVER)
        self.watch = decision.watch
        if decision.switch:
            self.serving = Serving(decision.switch.mode)
            self.changes.append((at_ms, decision.switch.mode))
        return decision


def test_past_the_hard_limit_personal_lists_go_at_once_with_the_reason():
    shop = Shop()
    assert shop.look(0, "late").switch is None

    assert shop.look(1, "stale").switch.reason == "events: 66.7 min old, hard limit 60 min"
    assert shop.serving.mode == "fallback"


@pytest.mark.parametrize(
    ("looks", "changes"),
    [
        pytest.param([(0, "fresh"), (RECOVER - 1, "fresh")], [], id="not-before-the-time"),
        pytest.param([(0, "fresh"), (RECOVER, "fresh")], [(RECOVER, "personal")], id="after-the-time"),
        pytest.param([(0, "late"), (RECOVER, "fresh")], [], id="late-is-not-fresh"),
        pytest.param([(0, "fresh"), (1, "late"), (RECOVER, "fresh")], [], id="a-late-look-begins-it-anew"),
        pytest.param([(0, "fresh"), (1, "unreadable"), (RECOVER, "fresh")], [], id="and-an-unreadable-one"),
        pytest.param([(0, "fresh"), (1, "missing"), (RECOVER, "fresh")], [], id="and-a-missing-one"),
        pytest.param([(0, "fresh"), (1, "stale"), (RECOVER, "fresh")], [], id="and-a-stale-one"),
    ],
)
def test_they_come_back_when_all_was_fresh_in_every_look_for_long_enough(looks, changes):
    shop = Shop(mode="fallback")
    for at_ms, verdict in looks:
        shop.look(at_ms, verdict)

    assert shop.changes == changes


def test_one_thing_that_is_not_fresh_keeps_them_away():
    shop = Shop(mode="fallback")
    shop.look(0, "fresh", "late")

    assert shop.look(RECOVER, "fresh", "late").note == "until fresh: events"


def test_what_has_no_hard_limit_neither_takes_them_away_nor_keeps_them_away():
    watch = Watch(NOW - RECOVER, NOW - RECOVER)
    late = [an_age("late", SOFT), an_age("fresh")]

    assert decide(watch, Serving(), late, NOW, RECOVER).switch is None
    assert decide(watch, Serving("fallback"), late, NOW, RECOVER).switch.mode == "personal"


@pytest.mark.parametrize("verdict", ["unreadable", "missing"])
def test_what_cannot_be_told_takes_nothing_away(verdict):
    assert Shop().look(0, verdict).switch is None


@pytest.mark.parametrize("mode", ["personal", "fallback"])
def test_a_mode_that_somebody_set_stays_whatever_is_found(mode):
    shop = Shop(mode=mode, held_by="alice")
    decisions = [shop.look(at_ms, verdict) for at_ms, verdict in enumerate(["stale", "fresh", "late"])]
    decisions.append(shop.look(HOUR, "fresh"))

    assert not any(decision.switch for decision in decisions)
    assert f"alice set {mode} by hand" in decisions[0].note and "past a hard limit: events" in decisions[0].note


def test_a_look_older_than_the_newest_changes_nothing():
    shop = Shop()
    shop.look(10, "fresh")
    watch = shop.watch

    assert shop.look(9, "stale").switch is None and shop.watch == watch


def test_a_clock_that_was_far_ahead_once_does_not_stop_the_watch_for_ever():
    shop = Shop()
    shop.watch = Watch(as_of_ms=NOW + HOUR, fresh_since_ms=NOW + HOUR)

    assert shop.look(0, "stale").switch.mode == "fallback"
    assert shop.watch.as_of_ms == NOW


verdicts = st.sampled_from(["fresh", "late", "stale", "missing", "unreadable"])
looks = st.lists(st.tuples(st.integers(1, RECOVER), verdicts), max_size=30)


@given(looks, st.data())
def test_looks_that_are_repeated_or_two_at_once_change_what_one_look_changes(looks, data):
    """Two at once end as one after the other: the store lets only one of them write what both read."""
    once, again = Shop(), Shop()
    at_ms = 0
    for pause_ms, verdict in looks:
        at_ms += pause_ms
        once.look(at_ms, verdict)
        for _ in range(data.draw(st.integers(1, 3))):
            again.look(at_ms, verdict)

    assert (again.watch, again.serving, again.changes) == (once.watch, once.serving, once.changes)


@given(looks)
def test_between_two_changes_back_lies_the_time_to_recover(looks):
    shop, at_ms, seen = Shop(), 0, []
    for pause_ms, verdict in looks:
        at_ms += pause_ms
        shop.look(at_ms, verdict)
        seen.append((at_ms, verdict, shop.serving.mode))

    for at_ms, mode in shop.changes:
        if mode == "personal":
            calm = [verdict for time_ms, verdict, _ in seen if at_ms - RECOVER <= time_ms <= at_ms]
            assert set(calm) == {"fresh"}
        else:
            assert (at_ms, "stale", "fallback") in seen
    modes = [mode for _, mode in shop.changes]
    assert all(mode == ("fallback", "personal")[place % 2] for place, mode in enumerate(modes))
    assert not [time_ms for time_ms, verdict, mode in seen if verdict == "stale" and mode == "personal"]


@pytest.mark.parametrize(
    ("ages", "trained_ms", "reason"),
    [
        pytest.param([an_age("fresh")], None, "", id="all-is-fresh"),
        pytest.param([an_age("late", SOFT)], None, "events", id="late-events"),
        pytest.param(
            [an_age("stale"), an_age("late", SOFT, "champion")], NOW - 25 * HOUR, "events, champion", id="both"
        ),
        pytest.param([an_age("late", SOFT, "champion")], NOW - 23 * HOUR, "", id="trained-not-long-ago"),
        pytest.param([an_age("missing", SOFT, "champion")], None, "champion", id="no-champion"),
        pytest.param([an_age("missing"), an_age("unreadable")], None, "", id="nothing-known"),
    ],
)
def test_a_training_is_asked_for(ages, trained_ms, reason):
    assert refresh_reason(ages, trained_ms, NOW, 24 * HOUR) == reason


def test_the_newest_event_is_kept():
    watch = replace(Watch(), newest_event_ms=7)

    assert decide(watch, Serving(), [an_age("fresh")], NOW, RECOVER).watch.newest_event_ms == 7
