"""What the servers that look on have in common: Prometheus, Alertmanager, Grafana."""

from pathlib import Path

import requests

PATIENCE_SECONDS = 2.0


def answers(url: str) -> bool:
    """Whether somebody answers at `url` that all is well, now."""
    try:
        return requests.get(url, timeout=PATIENCE_SECONDS).ok
    except requests.RequestException:
        return False


def made_folder(path: Path) -> Path:
    """The folder `path`, made where it is missing."""
    path.mkdir(parents=True, exist_ok=True)
    return path
