"""Whether the services of HTTP answer: the collector, which knows no Redis, and the service of lists."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import requests

from pipelines.config import Config

TIMEOUT_SECONDS = 0.5
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass
class Services:
    """Asks them, and remembers who has answered: one that was never started is no trouble."""

    addresses: Mapping[str, tuple[str, int]] = field(default_factory=dict)  # by job: host, port
    _seen: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, config: Config) -> "Services":
        """Those that the configuration has, where it says that they listen."""
        collector, serving = config.collector, config.serving
        return cls({"collect_events": (collector.host, collector.port), "serve_lists": (serving.host, serving.port)})

    def look(self) -> dict[str, bool]:
        """Which of those that have ever answered here answer now. Takes up to TIMEOUT_SECONDS each."""
        answering = {job for job, address in self.addresses.items() if _answers(*address)}
        self._seen |= answering
        return {job: job in answering for job in self.addresses if job in self._seen}


def reached_at(host: str, port: int) -> str:
    """Where this machine asks a service that listens on `host`: host:port."""
    host = EVERYWHERE.get(host, host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _answers(host: str, port: int) -> bool:
    address = reached_at(host, port)
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between this machine and itself
        try:
            return session.get(f"http://{address}/healthz", timeout=TIMEOUT_SECONDS).ok
        except requests.RequestException:
            return False
