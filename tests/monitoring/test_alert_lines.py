"""What `liveshelf monitor` says of alerts in its terminal."""

import re

from jobs._alert_lines import AlertLines


def an_alert(name: str, state: str = "firing", **labels: str) -> dict:
    return {
        "state": state,
        "labels": {"alertname": name, "severity": "critical", "job": "liveshelf", **labels},
        "annotations": {"summary": "it is away", "runbook": "docs/operations.md#here"},
    }


def test_an_alert_is_said_once_when_it_fires_and_once_when_it_has_ended():
    lines = AlertLines("nowhere:1")
    silent = an_alert("Silent", stream="personalize", instance="127.0.0.1:8382")

    assert lines.changed([silent | {"state": "pending"}]) == []
    (said,) = lines.changed([silent, an_alert("Slow", "pending")])
    assert lines.changed([silent]) == []
    ended = lines.changed([])

    expected = r"\d\d:\d\d:\d\d FIRING   Silent \(personalize\): it is away. What to do: docs/operations.md#here"
    assert re.fullmatch(expected, said)
    assert [line[9:] for line in ended] == ["resolved Silent (personalize)"]
    assert lines.changed([]) == []


def test_a_service_that_is_down_is_named():
    (said,) = AlertLines("nowhere:1").changed([an_alert("Down", instance="127.0.0.1:8380")])

    assert "Down (127.0.0.1:8380): " in said


def test_of_a_service_that_is_down_the_job_is_named_where_it_is_known():
    lines = AlertLines("nowhere:1", lambda: {"127.0.0.1:8380": "collect_events"})

    (said,) = lines.changed([an_alert("Down", instance="127.0.0.1:8380")])

    assert "Down (collect_events): " in said


def test_two_of_a_kind_are_told_apart():
    said = AlertLines("nowhere:1").changed([an_alert("Silent", stream="a"), an_alert("Silent", stream="b")])

    assert ["(a)" in said[0], "(b)" in said[1]] == [True, True]


def test_a_prometheus_that_does_not_answer_is_no_news():
    assert AlertLines("127.0.0.1:1").news() == []
