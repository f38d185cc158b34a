"""Compare profiles in Redis with what is filed in Delta, user by user, as of each profile's own mark.

\b
    liveshelf check_consistency --users 1000
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/check_consistency.py

Samples users of `events`, reads their profiles, and makes from the filed events what each should say: how many
interactions, which are the newest, and every decayed sum to 1e-9. Ends with code 1 when one differs or is missing;
`liveshelf rebuild_profiles` mends that. A profile that is ahead of Delta is counted, and not judged; nor is that of a user
whom a visitor became: what it has of the visitor is filed under the visitor's id.

\b
Reads   {lake_root}/events; Redis profile:{user}; the checkpoint of validate_events
Writes  {lake_root}/consistency   one row a check
"""

import json
import secrets
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
from pyspark.sql import DataFrame, SparkSession
from rich.console import Console
from rich.table import Table

from jobs._options import config_option
from jobs._outcomes import tell_figures, tells_outcome
from jobs._spark import job_session
from pipelines.config import Config
from pipelines.errors import ConsistencyError
from pipelines.features.consistency import VERDICTS, Filing, Finding, compare, summary
from pipelines.features.definitions import load_definitions
from pipelines.features.filed import interactions_of, sample_users, visitors_who_logged_in
from pipelines.features.rebuilding import decode_readable
from pipelines.local.addresses import with_running_servers
from pipelines.schemas import CONSISTENCY
from pipelines.sinks.results import ResultTable
from pipelines.sources.checkpoints import committed_offsets
from pipelines.sources.delta import read_table
from pipelines.sources.topics import describe_topic
from pipelines.stores.connection import connect
from pipelines.stores.heartbeat import HeartbeatStore
from pipelines.stores.outcomes import Told
from pipelines.stores.users import UserStore

JOB, FILING_JOB = "check_consistency", "validate_events"
DAY_SECONDS = 24 * 3600


@click.command(help=__doc__)
@click.option(
    "--users", "n_users", type=click.IntRange(1, 100_000), default=500, show_default=True, help="Users to sample."
)
@click.option("--seed", type=int, help="Which users; the same seed takes the same. Default: others each time.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead of a table.")
@config_option
@tells_outcome(JOB)
def main(config: Config, n_users: int, seed: int | None, is_json: bool) -> None:
    config = with_running_servers(config)
    spark, seed = job_session(JOB), secrets.randbelow(2**31) if seed is None else seed
    users = sample_users(_events(spark, config), n_users, seed)
    findings = _findings(spark, config, users)

    figures = {"as_of": datetime.now(timezone.utc), "seed": seed, **summary(findings)}
    ResultTable(config.table("consistency"), CONSISTENCY, "check_id").append(
        [{"check_id": secrets.token_hex(8), **figures}]
    )
    _tell(config, figures)
    tell_figures(_told(figures))
    if is_json:
        click.echo(json.dumps(figures, default=str))
    else:
        _print(figures)
    if not figures["is_consistent"]:
        raise ConsistencyError(
            "profiles do not say what is filed; `liveshelf rebuild_profiles` makes them anew:\n  "
            + "\n  ".join(figures["examples"])
        )


def _findings(spark: SparkSession, config: Config, users: list[str]) -> list[Finding]:
    store = UserStore(
        connect(str(config.redis.url)),
        profile_ttl_seconds=config.profile.ttl_days * DAY_SECONDS,
        list_ttl_seconds=config.lists.ttl_days * DAY_SECONDS,
    )
    stored = store.read_profiles(users)
    # After the profiles: so that what they have is filed, unless they are ahead.
    filed_up_to = committed_offsets(Path(config.checkpoint(FILING_JOB, "v1")), config.kafka.topic)
    events = _events(spark, config)
    filing = Filing(
        interactions_of(events, users).toPandas(),
        config.kafka.topic,
        describe_topic(config.kafka).tag,
        filed_up_to,
        frozenset(visitors_who_logged_in(events, users)),
    )
    online = load_definitions(config.features.definitions).online()
    return compare(users, decode_readable(stored), filing, online, config.profile, time.time_ns() // 1_000_000)


def _events(spark: SparkSession, config: Config) -> DataFrame:
    return read_table(spark, config.table("events"), "events", config.events.contract.events)


def _tell(config: Config, figures: dict[str, Any]) -> None:
    metrics = {name: value for name, value in figures.items() if name not in ("as_of", "examples")}
    HeartbeatStore(connect(str(config.redis.url))).beat(JOB, metrics)


def _told(figures: dict[str, Any]) -> Told:
    """What the outcome of the run has: profiles by verdict, and the greatest error of a sum."""
    verdicts = {verdict: figures[f"n_{verdict.replace(' ', '_')}"] for verdict in VERDICTS}
    return {"profiles": verdicts, "sum_error_ratio": {"greatest": figures["max_relative_error"]}}


def _print(figures: dict[str, Any]) -> None:
    grid = Table("", "", box=None, show_header=False)
    for name, value in figures.items():
        if name.startswith("n_") or name == "max_relative_error":
            grid.add_row(
                name.removeprefix("n_").replace("_", " "), f"{value:,}" if isinstance(value, int) else f"{value:.1e}"
            )
    Console().print(grid)


if __name__ == "__main__":
    sys.exit(main())
