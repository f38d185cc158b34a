"""The session of a job: under spark-submit as it was submitted, otherwise on this machine's cores with the project's settings."""

import os
from pathlib import Path

from pyspark.sql import SparkSession

from pipelines.local.class_archive import class_archive
from pipelines.local.jars import spark_jars
from pipelines.logs.writing import is_json
from pipelines.session import SUBMIT_VARIABLE, spark_session, submit_arguments

DEFAULTS = Path("conf/spark-defaults.conf")
LINES = {
    False: Path("conf/log4j2.properties"),
    True: Path("conf/log4j2-json.properties"),
}  # is it JSON → Spark's own lines
LINES_VARIABLE = "LOG4J_CONFIGURATION_FILE"  # read by Log4j


def job_session(name: str) -> SparkSession:
    """Start or join the session. `LIVESHELF_MASTER` names another master than all local cores.

    Spark's own lines look like the job's, unless LOG4J_CONFIGURATION_FILE says otherwise.
    """
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ or SUBMIT_VARIABLE in os.environ
    if submitted:
        return _with_lines(spark_session(name))
    master = os.environ.get("LIVESHELF_MASTER", "local[*]")
    if master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault(LINES_VARIABLE, str(LINES[is_json()].resolve()))
    os.environ[SUBMIT_VARIABLE] = submit_arguments(DEFAULTS, spark_jars(), master, archive=class_archive())
    return spark_session(name)


def _with_lines(spark: SparkSession) -> SparkSession:
    """Tell a JVM that runs already how to write."""
    lines = LINES[is_json()].resolve()
    if LINES_VARIABLE not in os.environ and lines.exists():
        jvm = spark.sparkContext._jvm
        assert jvm is not None
        jvm.org.apache.logging.log4j.core.config.Configurator.reconfigure(jvm.java.net.URI(lines.as_uri()))
    return spark
