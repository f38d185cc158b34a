"""A shop with a topic, tables and checkpoints of its own, whose jobs run in this process."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner, Result

from jobs import reconcile_events, validate_events
from pipelines.sinks.kafka import KafkaRecordSink
from tests.events.builders import SUITE
from tests.servers import MAX_RECORD_BYTES


@dataclass(frozen=True)
class Sent:
    key: bytes | None
    value: bytes


class Shop:
    def __init__(self, bootstrap_servers: str, topic: str, redis_url: str, root: Path) -> None:
        self._address, self._topic, self.root = bootstrap_servers, topic, root
        self.config = root / "config.yaml"
        self.settings: dict[str, Any] = {
            "lake_root": str(root / "lake"),
            "checkpoint_root": str(root / "checkpoints"),
            "kafka": {"bootstrap_servers": bootstrap_servers, "topic": topic},
            "redis": {"url": redis_url},
            "validation": {"suite": str(SUITE), "max_offsets_per_trigger": 12, "audit_seconds": 0},
        }
        self.configure()

    def configure(self, **sections: dict[str, Any]) -> None:
        """Write the configuration, with more in some sections."""
        for name, more in sections.items():
            self.settings[name] = self.settings.get(name, {}) | more
        self.config.write_text(yaml.safe_dump(self.settings))

    def send(self, *values: bytes) -> None:
        with KafkaRecordSink(self._address, self._topic, MAX_RECORD_BYTES) as sink:
            for value in values:
                sink.send(Sent(str(zlib.crc32(value)).encode(), value))

    def validate(self) -> Result:
        arguments = ["--once", "--config", str(self.config)]
        return CliRunner().invoke(validate_events.main, arguments, catch_exceptions=False)

    def reconcile(self, *options: str) -> Result:
        arguments = ["--config", str(self.config), *options]
        return CliRunner().invoke(reconcile_events.main, arguments, catch_exceptions=False)
