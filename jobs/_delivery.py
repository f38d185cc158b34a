"""Whether a webhook takes what Alertmanager sends, as lines for a terminal: one when it takes nothing, one when it does again."""

import requests
from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_SECONDS = 5.0
REQUESTS = "alertmanager_notification_requests"
SENT, FAILED = f"{REQUESTS}_total", f"{REQUESTS}_failed_total"


class Delivery:
    """Remembers how much was sent, and how much of it failed, when Alertmanager was asked last."""

    def __init__(self, alertmanager: str, webhook: str, log: object) -> None:
        """`alertmanager`: host:port; `log`: where it says why."""
        self._address, self._webhook, self._log = f"http://{alertmanager}/metrics", webhook, log
        self._n_sent, self._n_failed, self._is_failing = 0.0, 0.0, False

    def news(self) -> list[str]:
        """Ask, and say what has changed. Alertmanager not answering changes nothing."""
        try:
            answer = requests.get(self._address, timeout=TIMEOUT_SECONDS)
        except requests.RequestException:
            return []
        return self.changed(answer.text)

    def changed(self, figures: str) -> list[str]:
        """What these figures of Alertmanager say that those before did not."""
        n_sent, n_failed = (_of_webhooks(figures, name) for name in (SENT, FAILED))
        n_new, n_new_failed = n_sent - self._n_sent, n_failed - self._n_failed
        self._n_sent, self._n_failed = n_sent, n_failed
        if not n_new or (n_new_failed == n_new) == self._is_failing:
            return []
        self._is_failing = not self._is_failing
        if self._is_failing:
            return [f"{self._webhook} does not take alerts: {self._log} says why. It is tried again"]
        return [f"{self._webhook} takes alerts again"]


def _of_webhooks(figures: str, name: str) -> float:
    samples = (sample for family in text_string_to_metric_families(figures) for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name == name and sample.labels["integration"] == "webhook")
