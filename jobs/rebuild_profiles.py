"""Make every profile in Redis anew from what is filed in Delta, while all goes on.

\b
    liveshelf rebuild_profiles
    liveshelf rebuild_profiles --since 2026-11-01        only users who did something since
    liveshelf rebuild_profiles --tables                  the feature tables of this version first
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/rebuild_profiles.py

For a Redis that was lost, a weight or half-life that was changed (docs/features.md), or a profile that
check_consistency found wrong. Readers meet the old profile or the new one; personalize may run, except across a change of
`version` in features.yaml. Interrupted, it goes on where it was. A profile that is right already is not written.

Users have what visitors gave at a login as well, and lost visitors their links (docs/redis.md, Logins). A user who
has more of a visitor than is filed so far keeps the profile: run it again.

\b
Reads   {lake_root}/events; the checkpoints of personalize and validate_events, for how far both are
Writes  Redis profile:{user}; with --tables what build_features writes
State   Redis {rebuild}:plan and {rebuild}:slices, for a day
"""

import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pyspark.sql import DataFrame

from jobs._features import start_building
from jobs._notices import notice
from jobs._options import config_option
from jobs._outcomes import tell_figures, tells_outcome
from jobs._polling import Polling
from jobs._progress import SendingProgress
from jobs._spark import job_session
from pipelines.config import Config
from pipelines.errors import InputError
from pipelines.features.definitions import load_definitions
from pipelines.features.filed import TopicPosition, active_users, to_filed_interactions
from pipelines.hot_path.rebuild import RebuildReport, rebuild_other_versions
from pipelines.hot_path.spark import with_rebuilding
from pipelines.hot_path.worker import StageSettings, Worker
from pipelines.local.addresses import with_running_servers
from pipelines.sources.checkpoints import Offsets, committed_offsets, planned_offsets
from pipelines.sources.delta import read_table
from pipelines.sources.topics import Topic, describe_topic
from pipelines.stores.connection import connect
from pipelines.stores.features_version import FeaturesVersionStore
from pipelines.stores.heartbeat import HeartbeatStore
from pipelines.stores.rebuild_progress import RebuildProgress

JOB = "rebuild_profiles"
HOT_JOB, FILING_JOB = "personalize", "validate_events"
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Wanted:
    """What is asked for."""

    since: datetime | None
    until: datetime | None
    n_slices: int
    from_start: bool


@click.command(help=__doc__)
@click.option("--since", type=click.DateTime(), help="Only users who did something from then on (event time, UTC).")
@click.option("--until", type=click.DateTime(), help="Only users who did something before then.")
@click.option(
    "--slices",
    "n_slices",
    type=click.IntRange(1, 100_000),
    default=64,
    show_default=True,
    help="Cut of the users: what an interruption may cost, and what a worker holds at a time.",
)
@click.option(
    "--tables",
    "with_tables",
    is_flag=True,
    help="First bring the feature tables of this version up to date: of a new one from the first event on. "
    "build_features must not run meanwhile.",
)
@click.option("--from-start", is_flag=True, help="Do not go on where an interrupted run was.")
@click.option(
    "--wait-seconds",
    type=click.FloatRange(0),
    default=300.0,
    show_default=True,
    help="How long to wait until `events` has what personalize has read.",
)
@config_option
@tells_outcome(JOB)
def main(config: Config, wait_seconds: float, with_tables: bool, **wanted: Any) -> None:
    config, asked = with_running_servers(config), Wanted(**wanted)
    definitions = load_definitions(config.features.definitions)
    online, topic = definitions.online(), describe_topic(config.kafka)
    separator = config.catalogue.category_separator
    settings = StageSettings(
        str(config.redis.url),
        topic.tag,
        config.profile,
        config.lists,
        config.model,
        online,
        category_separator=separator,
    )
    client = connect(settings.redis_url)
    version = FeaturesVersionStore(client)
    is_new_version = version.read() != online.version
    if is_new_version and (asked.since or asked.until):
        raise InputError(
            f"the profiles in Redis do not have features version {online.version} yet: rebuild all of them, without --since "
            "and --until"
        )

    if with_tables:
        notice("feature tables …")
        start_building(job_session(JOB), config, definitions, once=True).wait()
    filed = _filed(config, topic, asked, wait_seconds)
    report = _rebuild(filed, settings, asked)
    if is_new_version:
        report += rebuild_other_versions(settings, Worker(settings))
        version.set(online.version)
    RebuildProgress(client).finish()
    told = {"replaced": report.n_replaced, "right already": report.n_same, "of logins": report.n_of_logins}
    tell_figures({"profiles": told, "interactions": {"folded": report.n_interactions}})
    HeartbeatStore(client).beat(JOB, {"features_version": online.version, **report.figures()})
    click.echo(
        f"{report.n_users:,} users from {report.n_interactions:,} interactions: {report.n_replaced:,} profiles replaced, "
        f"{report.n_same:,} were right already, {report.n_of_logins:,} left as they are (they have more of "
        f"visitors than is filed so far); features version {online.version}"
    )


def _filed(config: Config, topic: Topic, asked: Wanted, wait_seconds: float) -> DataFrame:
    """Take what is filed of everybody, as soon as that is all that personalize has read."""
    reached = planned_offsets(Path(config.checkpoint(HOT_JOB, "v1")), config.kafka.topic)
    _wait_for_filing(config, reached, wait_seconds)
    events = read_table(job_session(JOB), config.table("events"), "events", config.events.contract.events)
    position = TopicPosition(config.kafka.topic, topic.tag, topic.end_offsets, reached)
    return to_filed_interactions(events, position, asked.n_slices, active_users(events, asked.since, asked.until))


def _rebuild(filed: DataFrame, settings: StageSettings, wanted: Wanted) -> RebuildReport:
    """Rebuild the slices that are not done yet, and show how far it is."""
    progress = RebuildProgress(connect(settings.redis_url))
    if wanted.from_start:
        progress.finish()
    done = progress.begin(
        f"version {settings.online.version}, {wanted.n_slices} slices, {wanted.since} to {wanted.until}"
    )
    if done:
        notice(f"going on: {len(done)} of {wanted.n_slices} slices were done before")
    left = filed.where(~filed["slice"].isin(*done)) if done else filed
    with SendingProgress("rebuild", wanted.n_slices, "slices done") as bar:
        with Polling(POLL_SECONDS, lambda: bar.show(n := len(progress.done()), n)):
            rows = with_rebuilding(left, settings).collect()
        bar.finish(wanted.n_slices, wanted.n_slices)
    return sum(
        (RebuildReport(**{k: v for k, v in row.asDict().items() if k != "slice"}) for row in rows), RebuildReport()
    )


def _wait_for_filing(config: Config, reached: Offsets, wait_seconds: float) -> None:
    """Wait until `events` has all that personalize has read: else what lies between would be in no profile.

    Raises InputError when that takes too long.
    """
    if not reached:
        return
    checkpoint, deadline = Path(config.checkpoint(FILING_JOB, "v1")), time.monotonic() + wait_seconds
    while behind := _n_behind(committed_offsets(checkpoint, config.kafka.topic), reached):
        if time.monotonic() >= deadline:
            raise InputError(
                f"{behind:,} records that {HOT_JOB} has read are not in {config.table('events')} yet, so profiles would lack "
                f"them: is {FILING_JOB} running? `liveshelf {FILING_JOB} --once` files them"
            )
        time.sleep(POLL_SECONDS)


def _n_behind(filed: Offsets, reached: Offsets) -> int:
    return sum(max(0, offset - filed.get(partition, 0)) for partition, offset in reached.items())


if __name__ == "__main__":
    sys.exit(main())
