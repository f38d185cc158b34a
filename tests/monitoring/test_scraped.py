"""Whom the Prometheus of this machine asks, as services start and end."""

from jobs._scraped import Scraped
from pipelines.monitoring.services import Services


class SomeAnswer(Services):
    """Those of `answering`, in place of asking."""

    answering: frozenset[str] = frozenset()

    def look(self) -> dict[str, bool]:
        self._seen |= self.answering
        return {job: job in self.answering for job in self.addresses if job in self._seen}


def test_a_service_is_scraped_from_its_first_answer_on_and_when_it_has_ended():
    services = SomeAnswer({"collect_events": ("0.0.0.0", 8380), "serve_lists": ("127.0.0.1", 8381)})
    told: list[list[str]] = []
    scraped = Scraped("127.0.0.1:8382", services, told.append)

    assert (scraped.news(), scraped.missing) == ({}, ["collect_events", "serve_lists"])
    services.answering = frozenset({"collect_events"})
    assert scraped.news() == {"collect_events": "127.0.0.1:8380"}
    assert scraped.missing == ["serve_lists"]
    assert scraped.news() == {}
    services.answering = frozenset({"serve_lists"})
    assert scraped.news() == {"serve_lists": "127.0.0.1:8381"}

    assert scraped.targets == ["127.0.0.1:8382", "127.0.0.1:8380", "127.0.0.1:8381"]
    assert told == [scraped.targets[:2], scraped.targets]
    assert scraped.jobs == {"127.0.0.1:8380": "collect_events", "127.0.0.1:8381": "serve_lists"}
