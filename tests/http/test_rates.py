"""How much a client may ask for: counted in advance, and still no more than allowed, nor much less."""

import pytest

from pipelines.http.rates import RateLimit
from pipelines.http.refusals import RefusedError


def allowed(rates: RateLimit, client: str, cost: int = 1, most: int = 100_000) -> int:
    for n in range(most):
        try:
            rates.count(client, cost)
        except RefusedError:
            return n * cost
    return most * cost


@pytest.mark.parametrize(
    ("per_minute", "cost"), [(1, 1), (999, 1), (1_000, 1), (50_000, 1), (50_000, 7), (50_000, 500)]
)
def test_as_much_as_is_allowed_and_no_more(per_minute, cost):
    rates = RateLimit(per_minute, "requests", "this key")

    assert per_minute - cost - per_minute // 1_000 < allowed(rates, "a", cost) <= per_minute


def test_clients_have_counts_of_their_own():
    rates = RateLimit(5, "requests", "this key")

    assert [allowed(rates, client) for client in ("a", "b")] == [5, 5]


def test_one_request_may_ask_for_all_of_a_minute_and_for_more_than_that():
    rates = RateLimit(10, "events", "this write key")
    rates.count("a", 1_000)

    with pytest.raises(RefusedError, match=r"more than 10 events in a minute for this write key") as refused:
        rates.count("a", 1)
    assert refused.value.status == 429 and 1 <= refused.value.retry_after_seconds <= 120


def test_a_refused_request_counts_for_nothing():
    rates = RateLimit(10, "events", "this write key")
    rates.count("a", 8)
    with pytest.raises(RefusedError):
        rates.count("a", 5)

    rates.count("a", 2)
