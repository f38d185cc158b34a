"""Prometheus and Alertmanager of this machine, on loopback, for a look.

Debian's packages `prometheus` and `prometheus-alertmanager`, or their servers from anywhere else on the PATH.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import ServerError
from pipelines.local.observers import answers, made_folder
from pipelines.local.processes import OwnedProcess, clear_the_way, free_port

PROMETHEUS, ALERTMANAGER = "prometheus", "prometheus-alertmanager"
BINARIES = {PROMETHEUS: ("prometheus",), ALERTMANAGER: ("prometheus-alertmanager", "alertmanager")}
START_SECONDS = 60.0
KEPT = "7d"
TARGETS = "targets.json"


def start_prometheus(
    home: Path, targets: Sequence[str], rules: Path, alertmanager: str | None = None, scrape_seconds: float = 5.0
) -> OwnedProcess:
    """Scrape `targets` (host:port) as the job `liveshelf`, judge by `rules`, tell `alertmanager` (host:port).

    `scrape` changes the targets while it runs.

    What was scraped lies in `home`/prometheus, for KEPT. Raises ServerError when there is no Prometheus, or it is not ready.
    """
    every = f"{round(scrape_seconds * 1000)}ms"
    scrape(home, targets)
    data = made_folder(home / PROMETHEUS)
    found = {"files": [str((data / TARGETS).resolve())], "refresh_interval": every}
    config: dict[str, Any] = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [str(rules.resolve())],
        "scrape_configs": [{"job_name": "liveshelf", "file_sd_configs": [found]}],
    }
    if alertmanager is not None:
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    file = data / "prometheus.yml"
    file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    storage = ["--storage.tsdb.path", str(data / "data"), "--storage.tsdb.retention.time", KEPT]
    return _started(PROMETHEUS, home, ["--config.file", str(file), *storage])


def scrape(home: Path, targets: Sequence[str]) -> None:
    """From now on those: a Prometheus that runs in `home` notices within some seconds."""
    data = made_folder(home / PROMETHEUS)
    part = data / f"{TARGETS}.part"  # it may read at any moment
    part.write_text(json.dumps([{"targets": list(targets)}]), encoding="utf-8")
    part.replace(data / TARGETS)


def start_alertmanager(home: Path, config: Path) -> OwnedProcess:
    """Notify as `config` says. Raises ServerError when there is no Alertmanager, or it is not ready."""
    storage = ["--storage.path", str(made_folder(home / ALERTMANAGER) / "data")]
    return _started(ALERTMANAGER, home, ["--config.file", str(config), *storage, "--cluster.listen-address", ""])


def is_installed(name: str) -> bool:
    """Whether this machine has the server."""
    return any(shutil.which(binary) for binary in BINARIES[name])


def _started(name: str, home: Path, arguments: Sequence[str]) -> OwnedProcess:
    binary = next((found for each in BINARIES[name] if (found := shutil.which(each))), None)
    if binary is None:
        raise ServerError(f"there is no {name} on this machine. Debian, Ubuntu, WSL: sudo apt-get install {name}")
    clear_the_way(name, home)
    process = OwnedProcess(name, home, free_port())
    address = f"127.0.0.1:{process.port}"
    ready = f"http://{address}/-/ready"
    process.start([binary, *arguments, "--web.listen-address", address], lambda: answers(ready), START_SECONDS)
    return process
