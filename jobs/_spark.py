"""The session of a job: under spark-submit as it was submitted, otherwise on this machine's cores with the project's settings."""

import os
from pathlib import Path

from pyspark.sql import SparkSession

from pipelines.local.class_archive import class_archive
from pipelines.local.jars import spark_jars
from pipelines.session import SUBMIT_VARIABLE, spark_session, submit_arguments

DEFAULTS = Path("conf/spark-defaults.conf")


def job_session(name: str) -> SparkSession:
    """Start or join the session. `LIVESHELF_MASTER` names another master than all local cores."""
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ or SUBMIT_VARIABLE in os.environ
    if not submitted:
        master = os.environ.get("LIVESHELF_MASTER", "local[*]")
        if master.startswith("local"):
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ[SUBMIT_VARIABLE] = submit_arguments(DEFAULTS, spark_jars(), master, archive=class_archive())
    return spark_session(name)
