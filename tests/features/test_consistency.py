"""Profiles against what is filed: each verdict, and what leads to it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipelines.features.consistency import Filing, compare, summary
from pipelines.features.fold import Interactions, fold
from pipelines.features.online import OnlineSums
from pipelines.features.profile import Profiles, entry_keys
from pipelines.features.profile_bytes import decode
from pipelines.sections import ProfileConfig

TAG, SOURCE = 9, (1 << 32) | 9
START_S = 1_570_000_000
WEIGHTS = np.zeros((128, 1))
WEIGHTS[1:6, 0] = [1, 1, 3, -2, 5]
ONLINE = OnlineSums(3, ("interest",), WEIGHTS, np.array([3600.0]))
CONFIG = ProfileConfig(ring_size=4, ttl_days=10)
CODES = [1, 3, 4, 5, 1, 1]


def rows(n=6, topic="clicks", **changes) -> pd.DataFrame:
    """What is filed of user u: interaction k at offset k."""
    k = np.arange(n)
    columns = {
        "user": "u", "item_hash": k + 100, "event_hash": k + 7, "code": np.array(CODES)[:n], "time_s": START_S + 60 * k,
        "ingest_ms": 1000 * (START_S + 60 * k), "partition": 1, "offset": k, "topic": topic,
    }  # fmt: skip
    return pd.DataFrame(columns | changes)


def profile(n=6) -> Profiles:
    """What the hot path makes of the first n."""
    of = rows(n)
    words = {name: of[name].to_numpy(np.int64).view(np.uint64) for name in ("item_hash", "event_hash")}
    key = entry_keys(of["time_s"].to_numpy(), words["event_hash"], of["code"].to_numpy())
    batch = Interactions(np.zeros(n, np.int64), key, words["item_hash"], of["offset"].to_numpy(), SOURCE)
    return fold(decode([None]), batch, CONFIG, ONLINE).profiles


def verdict(profiles, filed, reached=None, now_s=START_S + 400):
    filing = Filing(filed, "clicks", TAG, {1: 6} if reached is None else reached)
    (finding,) = compare(["u"], profiles, filing, ONLINE, CONFIG, now_s * 1000)
    return finding


def test_a_profile_that_says_what_is_filed_is_equal():
    assert verdict(profile(), rows()).verdict == "equal"


def test_what_was_filed_after_the_profiles_mark_does_not_count():
    assert verdict(profile(4), rows(6)).verdict == "equal"


@pytest.mark.parametrize(
    ("profiles", "is_login", "expected"),
    [
        pytest.param(replace(profile(), is_joined=np.array([True])), False, "of a login", id="joined"),
        pytest.param(decode([None]), True, "of a login", id="given-away-and-gone"),
        pytest.param(decode([None]), False, "missing", id="gone"),
        pytest.param(profile(), True, "equal", id="given-away-and-still-there"),
    ],
)
def test_what_a_login_made_is_told_and_not_judged(profiles, is_login, expected):
    filing = Filing(rows(), "clicks", TAG, {1: 6}, frozenset(["u"] if is_login else []))
    (finding,) = compare(["u"], profiles, filing, ONLINE, CONFIG, (START_S + 400) * 1000)

    assert finding.verdict == expected and summary([finding])["is_consistent"] == (expected != "missing")


def test_rows_of_another_topic_count_whatever_their_offsets():
    assert verdict(profile(), rows(offset=[0, 1, 2, 3, 4, 5_000], topic=["clicks"] * 5 + ["before"])).verdict == "equal"


@pytest.mark.parametrize(
    ("profiles", "filed", "about"),
    [
        pytest.param(
            profile(5), rows(offset=[0, 1, 2, 3, 3, 4]), "5 interactions are in the profile, 6", id="one-too-few"
        ),
        pytest.param(
            replace(profile(), sums=profile().sums * (1 + 1e-8)), rows(), "interest is 6.9e-09 away", id="a-sum"
        ),
        pytest.param(replace(profile(), sums=np.array([[np.nan]])), rows(), "interest is nan away", id="not-a-number"),
        pytest.param(profile(), rows(item_hash=np.arange(6) + 101), "newest interactions are others", id="an-item"),
    ],
)
def test_a_profile_that_says_something_else_differs(profiles, filed, about):
    finding = verdict(profiles, filed, reached={1: 6})

    assert finding.verdict == "differs"
    assert about in finding.about


def test_a_signed_sum_that_cancels_is_measured_by_its_weights():
    assert verdict(replace(profile(), sums=profile().sums + 1e-9), rows()).verdict == "equal"


@pytest.mark.parametrize(
    ("reached", "filed", "is_ahead"),
    [
        pytest.param({1: 5}, rows(5), True, id="the-checkpoint-says-so"),
        pytest.param({1: 6}, rows(5), False, id="the-checkpoint-says-it-should-be-there"),
        pytest.param({}, rows(5), True, id="no-checkpoint-and-it-is-not-there"),
        pytest.param({}, rows(), False, id="no-checkpoint-and-it-is-there"),
    ],
)
def test_a_profile_is_ahead_when_its_newest_is_not_filed_yet(reached, filed, is_ahead):
    assert (verdict(profile(), filed, reached).verdict == "ahead") == is_ahead


def test_no_profile_is_missing_until_it_may_have_expired():
    nobody = decode([None])

    assert verdict(nobody, rows()).verdict == "missing"
    assert verdict(nobody, rows(), now_s=START_S + 11 * 86_400).verdict == "expired"


def test_another_version_is_named():
    assert verdict(replace(profile(), features_version=np.array([2])), rows()).verdict == "other version"


def test_only_what_must_not_be_makes_it_inconsistent():
    findings = [verdict(profile(), rows(5), {1: 5}), verdict(profile(), rows())]
    assert summary(findings)["is_consistent"] and summary(findings)["n_ahead"] == 1

    figures = summary([*findings, verdict(decode([None]), rows())])
    assert not figures["is_consistent"] and figures["examples"] == ["u: no profile, 6 interactions are filed"]
