"""Alerts as lines for a terminal: one when an alert fires, one when it has ended."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import requests

TIMEOUT_SECONDS = 5.0
INSTANCE = "instance"
WHAT_ELSE = ("alertname", "severity", "job")  # labels that are said otherwise, or are the same of all
Alert = Mapping[str, Any]


class AlertLines:
    """Remembers which alerts fired when Prometheus was asked last."""

    def __init__(self, prometheus: str, jobs: Callable[[], Mapping[str, str]] = dict) -> None:
        """`prometheus`: host:port; `jobs`: who answers where, by host:port."""
        self._address, self._jobs = f"http://{prometheus}/api/v1/alerts", jobs
        self._firing: dict[str, Alert] = {}

    def news(self) -> list[str]:
        """Ask, and say what has changed. Prometheus not answering changes nothing."""
        try:
            alerts = requests.get(self._address, timeout=TIMEOUT_SECONDS).json()["data"]["alerts"]
        except (requests.RequestException, KeyError):
            return []
        return self.changed(alerts)

    def changed(self, alerts: Sequence[Alert]) -> list[str]:
        """Lines of what fires and did not before, and of what did and does not."""
        jobs = self._jobs()
        firing = {_name(alert["labels"], jobs): alert for alert in alerts if alert["state"] == "firing"}
        began = [f"{_now()} FIRING   {name}: {_what_to_do(firing[name])}" for name in firing.keys() - self._firing]
        ended = [f"{_now()} resolved {name}" for name in self._firing.keys() - firing]
        self._firing = firing
        return sorted(began) + sorted(ended)


def _name(labels: Mapping[str, str], jobs: Mapping[str, str]) -> str:
    of = {label: value for label, value in sorted(labels.items()) if label not in WHAT_ELSE}
    if len(of) > 1:
        of.pop(INSTANCE, None)  # of the exporter, where an alert is of something else
    told = f" ({', '.join(jobs.get(value, value) for value in of.values())})" if of else ""
    return f"{labels['alertname']}{told}"


def _what_to_do(alert: Alert) -> str:
    told = alert["annotations"]
    return f"{told['summary']}. What to do: {told['runbook']}"


def _now() -> str:
    return time.strftime("%H:%M:%S")
