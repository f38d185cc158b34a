"""What a heartbeat says of a stream since its process began."""

from pipelines.tally import LAG_BOUNDS_MS, Tally


def test_counts_times_and_counts_by_name_add_up_and_the_rest_is_the_last():
    tally = Tally()
    tally.add({"n_rows": 2, "write_us": 30, "by_rule": {"a": 1, "b": 2}, "batch_id": 7})

    told = tally.add({"n_rows": 3, "write_us": 4, "by_rule": {"b": 1, "c": 5}, "batch_id": 8})

    assert told == {"n_rows": 5, "write_us": 34, "by_rule": {"a": 1, "b": 3, "c": 5}, "batch_id": 8}


def test_of_what_was_last_by_name_the_newest_of_each_name_stays():
    tally = Tally()
    tally.add({"last_quarantined": {"a": "1", "b": "2"}})
    tally.add({"last_quarantined": {}})

    told = tally.add({"last_quarantined": {"b": "3"}, "last_verdict": "well"})

    assert told == {"last_quarantined": {"a": "1", "b": "3"}, "last_verdict": "well"}


def test_lags_are_kept_as_percentiles_as_a_sum_and_as_counts_up_to_a_bound():
    tally = Tally()
    tally.add({"lag_ms": [10, 50, 51, 400_000]})

    told = tally.add({"lag_ms": [250]})

    n_up_to = dict.fromkeys([*map(str, LAG_BOUNDS_MS), "inf"], 0)
    assert told["lags_up_to_ms"] == n_up_to | {"50": 2, "100": 1, "300": 1, "inf": 1}
    assert (told["lag_sum_ms"], told["n_timed"], told["n_late"]) == (400_361, 5, 1)
    assert told["lag_p50_ms"] == 51


def test_a_batch_without_a_lag_says_nothing_new_of_lags():
    tally = Tally()
    before = tally.add({"lag_ms": [70]})

    assert tally.add({"n_rows": 1, "lag_ms": []}) == before | {"n_rows": 1}
