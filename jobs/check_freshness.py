"""Look how old everything is: alert when it is too old, and take personal lists away until data flows again.

\b
    liveshelf check_freshness --dry-run
    liveshelf check_freshness --every 30
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/check_freshness.py

Finite, a few seconds, starts no Spark session; every ten minutes is enough. Looks at the topic, at how far each stream is, at
heartbeats, lists, tables and the champion; `freshness` in the configuration has the limits (docs/freshness.md). What cannot be
read is a finding and stops nothing. Ends with code 3 past a limit. A mode that somebody set by hand stays.

\b
Reads   Kafka, checkpoints, {lake_root}, Redis, MLflow
Writes  Redis serving:mode, and what it remembers from look to look; with --dry-run nothing
"""

import sys
import time
from collections import Counter
from contextlib import nullcontext

import click

from jobs._freshness import Freshness, look
from jobs._notices import notice
from jobs._options import config_option
from jobs._outcomes import logging_ending, telling_outcome
from jobs._watching import Telling, telling_options
from pipelines.config import Config
from pipelines.errors import AlertError
from pipelines.logs.log import log

JOB = "check_freshness"


@click.command(help=__doc__)
@config_option
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Look and tell, and change nothing.")
@click.option(
    "--every", "every_seconds", type=click.FloatRange(0.1), metavar="SECONDS",
    help="Look again so long after each look, until Ctrl-C. Default: once.",
)  # fmt: skip
@telling_options
def main(config: Config, is_dry_run: bool, every_seconds: float | None, telling: Telling) -> None:
    verdicts: dict[str, int] = {}
    while True:
        try:
            with (
                logging_ending() if every_seconds is None else nullcontext(),
                nullcontext() if is_dry_run else telling_outcome(config, JOB),
            ):
                seen = look(config, JOB, time.time_ns() // 1_000_000, is_dry_run=is_dry_run)
                verdicts = _logged(seen, verdicts)
                telling.conclude(seen.findings(JOB), seen.show)
        except AlertError as alert:
            if every_seconds is None:
                raise
            notice(str(alert), "red")
        if every_seconds is None:
            return
        time.sleep(every_seconds)


def _logged(seen: Freshness, before: dict[str, int]) -> dict[str, int]:
    """Log how many things have which verdict, where it is not as `before`."""
    verdicts = dict(Counter[str](age.verdict for age in seen.ages))
    if verdicts != before:
        log.info("freshness_judged", by_verdict=verdicts)
    return verdicts


if __name__ == "__main__":
    sys.exit(main())
