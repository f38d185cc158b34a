"""docs/metrics.md: the figures of streams and jobs, made from what they mean.

python -m tests.docs.metrics        writes it anew
"""

from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from pipelines.collecting.metrics import Metrics as CollectorMetrics
from pipelines.monitoring.job_meanings import OF_JOB
from pipelines.monitoring.meaning import Meaning
from pipelines.monitoring.meanings import LAG, OF_EVERY_STREAM, OF_STREAM, OUTCOME
from pipelines.serving.metrics import Metrics as ServingMetrics

PAGE = Path(__file__).parents[2] / "docs/metrics.md"
HEAD = """# Metrics

Made from `pipelines/monitoring` and the services' figures. `liveshelf export_metrics` gives those of streams and jobs at
`http://127.0.0.1:8382/metrics`, or with `--textfile FILE` to the textfile collector of node_exporter. Names are as Prometheus
wants them: base units, counters that end in `_total` and begin again at 0 when a job starts anew, but for a stream's starts and
errors.

```yaml
scrape_configs:
  - job_name: liveshelf
    static_configs:
      - targets: ["127.0.0.1:8382"] # export_metrics
      - targets: ["127.0.0.1:8380"] # collect_events
      - targets: ["127.0.0.1:8381"] # serve_lists
```

On one machine `make monitor` does all of this: exporter, Prometheus with the rules, Alertmanager, and Grafana where there is one;
beside the demo, after `export LIVESHELF_CONFIG=.liveshelf/demo/config.yaml`. It watches the collector and the service of lists
from their first answer on.
`conf/monitoring/alerts.yml` has alert rules for Prometheus, each with [what to do](operations.md#when-an-alert-fires);
`conf/monitoring/grafana` has dashboards to import into Grafana: overview, streams, lists, data, services; or let it read
`conf/monitoring/grafana-provisioning` (`GF_PATHS_PROVISIONING`), which asks the environment for `LIVESHELF_PROMETHEUS`,
`LIVESHELF_SCRAPE_INTERVAL` and `LIVESHELF_DASHBOARDS`.

A stream tells its figures in its heartbeat (`heartbeat:{job}` in Redis), after each micro-batch and every five seconds, and
`export_metrics` reads them when it is asked: a stream needs no port of its own, and what it costs the hot path to be watched is
[measured](benchmarks.md#being-watched)
([why](adr/0022-metrics-from-heartbeats.md)). A stream that died stops telling: `time() - liveshelf_heartbeat_timestamp_seconds`
grows, while its last figures stay for seven days.

A job that ends tells how it ended and what it found (`outcome:{job}`): what its newest run said stays for 35 days.
`history:{job}` in Redis has some of it run by run, for the plots of the page of the state.

"""
TABLE = ("| metric | kind | labels | meaning |", "|---|---|---|---|")
STANDING = """## Redis, and what waits in it

| metric | kind | labels | meaning |
|---|---|---|---|
| `liveshelf_redis_up` | gauge | | whether Redis answers; where it does not, this is the only figure |
| `liveshelf_redis_ping_seconds` | gauge | | time that Redis took to answer |
| `liveshelf_redis_memory_bytes` | gauge | | memory that Redis uses |
| `liveshelf_redis_memory_limit_bytes` | gauge | | what it may use; 0: no limit |
| `liveshelf_lists_unfiled` | gauge | | published lists that are not in Delta yet |
| `liveshelf_lists_waiting` | gauge | `queue` | users whose list is to be made again, by queue |
| `liveshelf_serving_fallback` | gauge | | 1 while personal lists are switched off |
"""


def page() -> str:
    """The whole page."""
    sections = [("Every stream", OF_EVERY_STREAM, ["stream"])]
    sections += [(f"`{stream}`", meanings, []) for stream, meanings in OF_STREAM.items() if meanings]
    sections.append(("Jobs that end", OUTCOME, ["task"]))
    sections += [(f"What `{job}` found", meanings, []) for job, meanings in OF_JOB.items()]
    services = [
        _of_service("The collector, at its own `/metrics`", CollectorMetrics()),
        _of_service("The service of lists, at its own `/metrics`", ServingMetrics()),
    ]
    return HEAD + "\n".join([*(_section(*section) for section in sections), STANDING, *services])


def _of_service(title: str, metrics: CollectorMetrics | ServingMetrics) -> str:
    """What the service itself counts."""
    lines = [f"## {title}", "", *TABLE]
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (told,) = metric.describe()
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)
            name = told.name + ("_total" if told.type == "counter" else "")
            lines.append(f"| `{name}` | {told.type} | {labels} | {told.documentation} |".replace("|  |", "| |"))
    return "\n".join([*lines, ""])


def _section(title: str, meanings: list[Meaning], labels: list[str]) -> str:
    lines = [f"## {title}", "", *TABLE]
    lines += dict.fromkeys(_row(meaning, labels) for meaning in meanings)
    if title == "`personalize`":
        lines.append(f"| `{LAG.metric}` | histogram | | {LAG.about} |")
    return "\n".join([*lines, ""])


def _row(meaning: Meaning, labels: list[str]) -> str:
    name = meaning.metric + ("_total" if meaning.kind == "counter" else "")
    kind = "counter" if meaning.kind == "counter" else "gauge"
    every = [*labels, *meaning.labels, *filter(None, (meaning.by, meaning.then_by))]
    return f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in every)} | {meaning.about} |".replace(
        "|  |", "| |"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
