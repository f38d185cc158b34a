"""A Valkey that is killed and comes back at the same address, with what it had on disk."""

import os
import signal
from pathlib import Path
from unittest import mock

from pipelines.local import valkey
from pipelines.local.processes import OwnedProcess, free_port
from pipelines.local.records import read_record, record_path
from pipelines.local.valkey import start_valkey, valkey_url


class KillableValkey:
    """`with KillableValkey(home) as server:` runs one; `kill`, then `start` again."""

    def __init__(self, home: Path) -> None:
        self._home, self._port = home, free_port()
        self._process: OwnedProcess | None = None
        self.url = valkey_url(self._port)

    def start(self) -> None:
        with mock.patch.object(valkey, "free_port", lambda: self._port):
            self._process = start_valkey(self._home)

    def kill(self) -> None:
        """Kill -9: nothing is flushed or said goodbye to."""
        self.signal(signal.SIGKILL)
        assert self._process
        self._process.stop()

    def signal(self, number: signal.Signals) -> None:
        record = read_record(record_path(self._home, valkey.NAME))
        assert record
        os.kill(record.server.pid, number)

    def __enter__(self) -> "KillableValkey":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.stop()
