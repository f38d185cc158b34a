"""A shop with everything that the DAGs' jobs read: events of some days in Kafka and Delta, profiles and lists in Redis.

    .venv/bin/python -m tests.airflow.filled_lake FOLDER

Run with the project's own Python, for Airflow's has none of what this needs. Fills FOLDER, prints the configuration's path,
and keeps the servers until its standard input ends.
"""

import json
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import yaml

from pipelines.config import load_config
from pipelines.local.class_archive import class_archive
from pipelines.local.jars import spark_jars
from pipelines.local.servers import EmbeddedServers, ensure_topic
from pipelines.local.shop import Shop, ShopConfig
from pipelines.sections import KafkaConfig
from pipelines.sinks.kafka import KafkaRecordSink

PROJECT = Path(__file__).parents[2]
N_EVENTS, N_DAYS = 6_000, 10
DAYS_NOT_LEARNED = 3  # by the champion, which can be judged by them
DAY_SECONDS = 86_400


def main(folder: Path) -> None:
    with EmbeddedServers(folder / "servers", KafkaConfig(bootstrap_servers=None)) as servers:
        config = write_config(folder, servers)
        write_spark_properties(folder)
        send_events(config)
        run_jobs(config, folder, validate_events=["--once"], personalize=["--once"])
        until = datetime.now(timezone.utc) - timedelta(days=DAYS_NOT_LEARNED)
        run_jobs(config, folder, train_model=["--until", f"{until:%Y-%m-%d}"])
        print(json.dumps({"config": str(config)}), flush=True)
        sys.stdin.read()


def write_config(folder: Path, servers: EmbeddedServers) -> Path:
    path = folder / "config.yaml"
    settings = {
        "lake_root": str(folder / "lake"),
        "checkpoint_root": str(folder / "checkpoints"),
        "kafka": {"bootstrap_servers": servers.bootstrap_servers, "topic": "clickstream"},
        "redis": {"url": servers.redis_url},
        "tracking": {"root": str(folder / "mlflow")},
        "validation": {"audit_seconds": 0, "data_docs_root": str(folder / "pages")},
    }
    path.write_text(yaml.safe_dump(settings))
    return path


def write_spark_properties(folder: Path) -> None:
    """The project's, with the jars that are on the disk instead of coordinates: nothing is looked up in a repository.

    They are on the driver's class path, so that its JVM can start from the class archive.
    """
    lines = (PROJECT / "conf/spark-defaults.conf").read_text().splitlines()
    jars = ":".join(str(jar) for jar in spark_jars())
    here = [f"spark.driver.extraClassPath {jars}"]
    if archive := class_archive():
        here.append(f'spark.driver.defaultJavaOptions "-XX:SharedArchiveFile={archive}"')
    lines = [*here, *(line for line in lines if not line.startswith("spark.jars.packages"))]
    (folder / "spark.conf").write_text("\n".join([*lines, ""]))


def send_events(path: Path) -> None:
    kafka = load_config(path).kafka
    assert kafka.bootstrap_servers
    ensure_topic(kafka.bootstrap_servers, kafka.topic, 2, kafka.max_record_bytes)
    start_ms = round((time.time() - N_DAYS * DAY_SECONDS) * 1000)
    per_second = N_EVENTS / (N_DAYS * DAY_SECONDS)
    shop = Shop(ShopConfig(200, 200, n_events=N_EVENTS, events_per_second=per_second, seed=9, start_ms=start_ms))
    with KafkaRecordSink(kafka.bootstrap_servers, kafka.topic, kafka.max_record_bytes) as sink:
        for shop_record in shop.records():
            sink.send(shop_record.record)


def run_jobs(config: Path, folder: Path, **arguments: list[str]) -> None:
    """Run them side by side, to the end."""
    running = {}
    for name, more in arguments.items():
        command = [sys.executable, "-m", "jobs", name, "--config", str(config), *more]
        with (folder / f"{name}.log").open("wb") as log:
            running[name] = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)
    for name, process in running.items():
        if process.wait(600) != 0:
            sys.exit(f"{name} failed:\n{(folder / f'{name}.log').read_text()[-3000:]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
