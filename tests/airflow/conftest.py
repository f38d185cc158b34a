"""These tests run with Airflow's own Python (`make test-airflow`); where there is no Airflow, they are not collected.

Nothing of `pipelines` or `jobs` is imported here: that environment has none of their packages.
"""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DAGS = PROJECT / "airflow_dags"
HOME = Path(os.environ.get("LIVESHELF_TEST_AIRFLOW_HOME", PROJECT / ".liveshelf/airflow/test"))

if importlib.util.find_spec("airflow") is None:
    collect_ignore_glob = ["test_*.py"]
else:  # before anything of Airflow is imported
    os.environ |= {
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(PROJECT / ".liveshelf/airflow/logs"),
        "AIRFLOW_CONN_LIVESHELF_SPARK": '{"conn_type": "spark", "host": "local[2]"}',
    }
    os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1")  # as ../conftest.py, which is not read here
    sys.path.insert(0, str(DAGS))


@pytest.fixture(scope="session")
def dags():
    """DAG id → DAG, as Airflow's own loader finds them."""
    from airflow.dag_processing.dagbag import BundleDagBag

    bag = BundleDagBag(DAGS, bundle_path=DAGS, bundle_name="dags-folder")
    assert not bag.import_errors
    return bag.dags


@pytest.fixture(scope="session")
def migrated(tmp_path_factory) -> Path:
    """A folder of Airflow whose database is migrated: made once, it is copied for each run."""
    from tests.airflow.running import airflow

    home = tmp_path_factory.mktemp("migrated")
    assert airflow("db", "migrate", home=home).returncode == 0
    return home
