"""Whom the Prometheus of this machine asks: the exporter, and services from their first answer on."""

from collections.abc import Callable, Sequence

from pipelines.monitoring.services import Services, reached_at


class Scraped:
    """Finds services as they start; one that was never started is no alert, and one that has ended stays a target."""

    def __init__(self, exporter: str, services: Services, scrape: Callable[[Sequence[str]], None]) -> None:
        """`exporter`: host:port; `scrape` is told all targets, when they change."""
        self._exporter, self._services, self._scrape = exporter, services, scrape
        self._found: dict[str, str] = {}  # host:port by job

    @property
    def targets(self) -> list[str]:
        """host:port, the exporter first."""
        return [self._exporter, *self._found.values()]

    @property
    def jobs(self) -> dict[str, str]:
        """The services that were found, by host:port."""
        return {address: job for job, address in self._found.items()}

    @property
    def missing(self) -> list[str]:
        """Services that have not answered yet."""
        return [job for job in self._services.addresses if job not in self._found]

    def news(self) -> dict[str, str]:
        """Ask those that are missing; host:port of those that answer now, by job."""
        if not self.missing:
            return {}
        seen = self._services.look()
        new = {job: reached_at(*self._services.addresses[job]) for job in self.missing if job in seen}
        if new:
            self._found |= new
            self._scrape(self.targets)
        return new
