"""One Spark session for the whole run: two cores, no UI, UTC in Python, in SQL and in the JVM."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from pyspark.sql import SparkSession

from pipelines.local.class_archive import class_archive
from pipelines.local.jars import spark_jars
from pipelines.session import SUBMIT_VARIABLE, spark_session, submit_arguments
from tests.examples import examples

pytest_plugins = ["tests.servers"]

# pyspark takes a process without a main file, such as a worker of pytest-xdist, for a run of its doctests, and ends it.
vars(sys.modules["__main__"]).setdefault("__file__", __file__)

# A job of a test lives for seconds: the second compiler costs its JVM more than it gains. Set, also to nothing, it is kept.
JVM_OPTIONS, BRIEF_JVM = "SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1"
os.environ.setdefault(JVM_OPTIONS, BRIEF_JVM)

os.environ["TZ"] = "UTC"
time.tzset()

# For a property that does not say itself how many.
hypothesis.settings.register_profile("liveshelf", max_examples=examples(100))
hypothesis.settings.load_profile("liveshelf")

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    settings = {"spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse"))}
    os.environ[SUBMIT_VARIABLE] = submit_arguments(
        PROJECT / "conf/spark-defaults.conf", spark_jars(), "local[2]", settings, class_archive()
    )
    with pytest.MonkeyPatch.context() as patch:  # this JVM lives for the whole run: the second compiler pays
        if os.environ[JVM_OPTIONS] == BRIEF_JVM:
            patch.delenv(JVM_OPTIONS)
        session = spark_session("liveshelf-tests")
    yield session
    session.stop()
