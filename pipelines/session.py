"""The only place that builds a SparkSession.

It sets no master and no jars: those belong to `spark-submit` and `conf/spark-defaults.conf`. Outside of spark-submit,
`submit_arguments` makes the same settings reach the session.
"""

import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from pyspark.sql import SparkSession

SUBMIT_VARIABLE = "PYSPARK_SUBMIT_ARGS"


def spark_session(name: str) -> SparkSession:
    """Return the session of this process, making it if there is none."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else workers run whatever python3 is on PATH
    spark = SparkSession.builder.appName(name).getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


def submit_arguments(
    defaults: Path, jars: Iterable[Path], master: str | None = None, settings: Mapping[str, str] | None = None
) -> str:
    """The value of PYSPARK_SUBMIT_ARGS: the settings in `defaults`, with `jars` already resolved.

    `master` None leaves the choice to the environment and the defaults file.
    """
    conf = {"spark.jars.packages": "", **(settings or {})}  # the jars are at hand: resolve nothing
    arguments = ["--properties-file", str(defaults), "--jars", ",".join(str(jar) for jar in jars)]
    if master:
        arguments += ["--master", master]
    for key, value in conf.items():
        arguments += ["--conf", f"{key}={value}"]
    return shlex.join([*arguments, "pyspark-shell"])
