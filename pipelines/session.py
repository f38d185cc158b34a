"""The only place that builds a SparkSession.

It sets no master and no jars: those belong to `spark-submit` and `conf/spark-defaults.conf`. Outside of spark-submit,
`submit_arguments` makes the same settings reach the session.
"""

import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from pyspark.sql import SparkSession

from pipelines.logs.writing import environment

SUBMIT_VARIABLE = "PYSPARK_SUBMIT_ARGS"
_IN_THIS_PROCESS = re.compile(r"local(\[.*\])?")
_SILENT_IF_UNFIT = "-Xlog:cds=off -Xlog:cds+dynamic=off -Xlog:class+path=off"


def spark_session(name: str) -> SparkSession:
    """Return the session of this process, making it if there is none."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else workers run whatever python3 is on PATH
    spark = SparkSession.builder.appName(name).getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    spark.sparkContext.environment.update(environment())  # Python workers log as this process does
    return spark


def submit_arguments(
    defaults: Path,
    jars: Iterable[Path],
    master: str | None = None,
    settings: Mapping[str, str] | None = None,
    archive: Path | None = None,
) -> str:
    """The value of PYSPARK_SUBMIT_ARGS: the settings in `defaults`, with `jars` already resolved.

    `master` None leaves the choice to the environment and the defaults file. `archive`: of classes that the JVM need not
    load anew (local/class_archive.py); for a master in this process alone.
    """
    conf = {"spark.jars.packages": ""}  # the jars are at hand: resolve nothing
    arguments = ["--properties-file", str(defaults)]
    if master and _IN_THIS_PROCESS.fullmatch(master):
        # One JVM is all there is: it reads the jars where they are, and classes of its own class path can be archived.
        arguments += ["--driver-class-path", os.pathsep.join(str(jar) for jar in jars)]
        if archive:
            conf["spark.driver.defaultJavaOptions"] = f'"-XX:SharedArchiveFile={archive}" {_SILENT_IF_UNFIT}'
    else:
        arguments += ["--jars", ",".join(str(jar) for jar in jars)]
    if master:
        arguments += ["--master", master]
    for key, value in {**conf, **(settings or {})}.items():
        arguments += ["--conf", f"{key}={value}"]
    return shlex.join([*arguments, "pyspark-shell"])
