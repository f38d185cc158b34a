"""Every record has one fate. Tables of (offset, event id, record id)."""

import pytest

from pipelines.events.reconcile import fate_per_record, faults_per_row, reconcile

pytestmark = pytest.mark.spark

CLAIMS = "topic string, partition int, offset long, event_id string, record_id string"
EVENTS = "topic string, partition int, offset long, event_id string"
QUARANTINE = "topic string, partition int, offset long, record_id string"


@pytest.fixture
def frames(spark):
    def make(claims, events, quarantine):
        return (
            spark.createDataFrame([("t", 0, *claim) for claim in claims], CLAIMS),
            spark.createDataFrame([("t", 0, *row) for row in events], EVENTS),
            spark.createDataFrame([("t", 0, *row) for row in quarantine], QUARANTINE),
        )

    return make


def test_each_record_has_exactly_one_fate(frames):
    claims = [
        (0, "a", "r0"),  # stored
        (1, "a", "r1"),  # the same event again
        (2, None, "r2"),  # quarantined
        (3, None, "r2"),  # the same bytes again
        (4, "b", "r4"),  # nowhere
        (5, None, "r5"),  # nowhere, without an event id
        (6, "a", "r6"),  # quarantined, with the id of a stored event
    ]
    fates = fate_per_record(*frames(claims, [(0, "a")], [(2, "r2"), (6, "r6")])).collect()

    assert {row.offset: row.fate for row in fates} == dict(
        enumerate(["valid", "duplicate", "quarantined", "duplicate", "lost", "lost", "quarantined"])
    )
    assert len(fates) == len(claims)


def test_another_event_under_the_same_coordinates_is_not_this_one(frames):
    (row,) = fate_per_record(*frames([(0, "a", "r0")], [(0, "b")], [])).collect()

    assert row.fate == "lost"


def test_an_id_that_is_stored_twice_does_not_double_the_record(frames):
    rows = fate_per_record(*frames([(0, "a", "r0"), (1, "a", "r1")], [(0, "a"), (1, "a")], [])).collect()

    assert [row.fate for row in rows] == ["valid", "valid"]


ROWS = {  # events, quarantine, and what is wrong with them
    "all is well": ([(5, "a")], [(6, "r6")], set()),
    "an event twice": ([(5, "a"), (6, "a")], [], {(5, "a", "twice"), (6, "a", "twice"), (6, "a", "unknown")}),
    "a record in both": ([(5, "a")], [(5, "r5")], {(5, "a", "twice"), (5, "r5", "twice")}),
    "another event": ([(5, "z")], [], {(5, "z", "unknown")}),
    "beyond the end": ([(7, "a")], [], {(7, "a", "unknown")}),
    "older than what the topic still holds": ([(4, "old")], [(3, "r3")], set()),
    "the same bytes some days later": ([], [(5, "r5"), (6, "r5")], {(6, "r5", "unknown")}),
}


def test_rows_that_should_not_be_there_are_found(spark):
    """All cases at once, each in a topic of its own, with two records: an event `a` and one without an event id."""
    claims, events, quarantine = [], [], []
    for case, (in_events, in_quarantine, _) in ROWS.items():
        claims += [(case, 0, 5, f"{case}:a", f"{case}:r5"), (case, 0, 6, None, f"{case}:r6")]
        events += [(case, 0, offset, f"{case}:{name}") for offset, name in in_events]
        quarantine += [(case, 0, offset, f"{case}:{name}") for offset, name in in_quarantine]
    frames = [spark.createDataFrame(*table) for table in ((claims, CLAIMS), (events, EVENTS), (quarantine, QUARANTINE))]

    found = {case: set() for case in ROWS}
    for row in faults_per_row(*frames).collect():
        found[row.topic].add((row.offset, row.id.removeprefix(f"{row.topic}:"), row.fault))

    assert found == {case: faults for case, (_, _, faults) in ROWS.items()}


def test_the_account_adds_up(frames):
    result = reconcile(
        *frames([(0, "a", "r0"), (1, "a", "r1"), (2, None, "r2"), (3, "b", "r3")], [(0, "a")], [(2, "r2")])
    )

    account = result.account
    assert (account.n_produced, account.n_valid, account.n_quarantined, account.n_duplicates) == (4, 1, 1, 1)
    assert (account.n_lost, account.is_exact) == (1, False)
    assert [(row.offset, row.id, row.fault) for row in result.examples] == [(3, "b", "lost")]


def test_an_exact_account_has_no_examples(frames):
    result = reconcile(*frames([(0, "a", "r0")], [(0, "a")], []))

    assert result.account.is_exact
    assert result.examples == []
