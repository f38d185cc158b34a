"""Make the features from the events: tables of current values in Delta, ranks and fallback lists in Redis.

\b
    liveshelf build_features
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/build_features.py

\b
Reads   {lake_root}/events; the definitions in conf/features.yaml
Writes  {lake_root}/features/v{version}/{entity}_features  one current row per key
        Redis rank:{name} and fallback:{segment}           made from the tables after each micro-batch
State   {checkpoint_root}/build_features/v{version}        the version of the definitions
"""

import sys

import click

from jobs._features import start_building
from jobs._options import config_option, once_option
from jobs._spark import job_session
from pipelines.config import Config
from pipelines.features.definitions import load_definitions
from pipelines.features.ranking import check_ranked
from pipelines.local.addresses import with_running_redis

JOB = "build_features"


@click.command(help=__doc__)
@config_option
@once_option
def main(config: Config, once: bool) -> None:
    definitions = load_definitions(config.features.definitions)
    check_ranked(definitions)
    config = with_running_redis(config)
    start_building(job_session(JOB), config, definitions, once=once).wait()


if __name__ == "__main__":
    sys.exit(main())
