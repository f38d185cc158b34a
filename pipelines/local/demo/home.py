"""Where the demo keeps its data, apart from yours."""

import shutil
from pathlib import Path

import yaml

from pipelines.config import Config
from pipelines.local import broker, valkey
from pipelines.local.addresses import DEMO, HOME
from pipelines.local.demo.watch import JOBS
from pipelines.local.processes import clear_the_way


def demo_home(*, fresh: bool) -> Path:
    """The demo's folder; `fresh`: emptied, after stopping what a killed demo left behind.

    Raises ServerError when a demo runs now.
    """
    home = HOME / DEMO
    for name in (*JOBS, broker.NAME, valkey.NAME):
        clear_the_way(name, home)
    if fresh:
        shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    return home


def written_config(home: Path, config: Config, bootstrap_servers: str, redis_url: str) -> tuple[Config, Path]:
    """`config` with the demo's tables, checkpoints and servers, and the file that tells the jobs the same."""
    here = config.model_copy(
        update={
            "lake_root": str(home / "lake"),
            "checkpoint_root": str(home / "checkpoints"),
            "kafka": config.kafka.model_copy(update={"bootstrap_servers": bootstrap_servers}),
            "redis": config.redis.model_copy(update={"url": redis_url}),
            "tracking": config.tracking.model_copy(update={"root": home / "mlflow"}),
            "validation": config.validation.model_copy(update={"data_docs_root": home / "data_docs"}),
        }
    )
    values = here.model_dump(mode="json")
    if config.redis.url:  # it was given: the jobs get it from the environment too, and it may hold a password
        del values["redis"]["url"]
    path = home / "config.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return here, path
