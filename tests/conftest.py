"""One Spark session for the whole run: two cores, no UI, UTC in Python, in SQL and in the JVM."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pipelines.local.jars import spark_jars
from pipelines.session import SUBMIT_VARIABLE, spark_session, submit_arguments

pytest_plugins = ["tests.servers"]

os.environ["TZ"] = "UTC"
time.tzset()

PROJECT = Path(__file__).parent.parent
# Begun first, so that no worker is left alone with one of them at the end.
LONGEST = ("sinks/test_many_batches.py", "docs/test_readme.py", "formats/test_topics.py", "crash/test_kill.py")
IN_THE_PROJECT_FOLDER = ("docs/test_readme.py", "structure/test_packaging.py")  # not at once: both build there


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers a file's tests stay together: they share fixtures."""
    places = {item: str(item.path.relative_to(PROJECT / "tests")) for item in items}
    for item, place in places.items():
        group = "project folder" if place in IN_THE_PROJECT_FOLDER else place
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: LONGEST.index(places[item]) if places[item] in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    settings = {"spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse"))}
    os.environ[SUBMIT_VARIABLE] = submit_arguments(
        PROJECT / "conf/spark-defaults.conf", spark_jars(), "local[2]", settings
    )
    session = spark_session("liveshelf-tests")
    yield session
    session.stop()
