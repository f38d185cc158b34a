"""A broker that is killed and comes back at the same address, with what it had on disk."""

import os
import signal
from pathlib import Path
from unittest import mock

from pipelines.local import broker
from pipelines.local.broker import broker_address, start_broker
from pipelines.local.jars import broker_jars
from pipelines.local.processes import OwnedProcess, free_port
from pipelines.local.records import read_record, record_path

MAX_RECORD_BYTES = 8_388_608


class KillableBroker:
    """`with KillableBroker(home) as broker:` runs one; `kill`, then `start` again."""

    def __init__(self, home: Path) -> None:
        self._home, self._ports = home, [free_port(), free_port()]
        self._process: OwnedProcess | None = None
        self.address = broker_address(self._ports[0])

    def start(self) -> None:
        ports = iter(self._ports)
        with mock.patch.object(broker, "free_port", lambda: next(ports)):
            self._process = start_broker(self._home, broker_jars(), MAX_RECORD_BYTES)

    def kill(self) -> None:
        """Kill -9: nothing is flushed or said goodbye to."""
        record = read_record(record_path(self._home, broker.NAME))
        assert record and self._process
        os.kill(record.server.pid, signal.SIGKILL)
        self._process.stop()

    def __enter__(self) -> "KillableBroker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.stop()
