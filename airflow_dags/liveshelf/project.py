"""Where the project is that the DAGs run the jobs of, and the policy that all tasks share.

\b
LIVESHELF_HOME              the project folder. Default: the parent of this folder of DAGs
LIVESHELF_CONFIG            the configuration of the jobs. Default: conf/local.yaml
LIVESHELF_BIN               where the jobs' python and spark-submit are. Default: .venv/bin
LIVESHELF_SPARK_PROPERTIES  the properties file of spark-submit. Default: conf/spark-defaults.conf
LIVESHELF_RETRIES           how often a task is tried again. Default: 2

Paths may be relative to the project folder. Only the environment is read: no file, no database.
"""

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from liveshelf.notifier import FailureNotifier

HOME = Path(os.environ.get("LIVESHELF_HOME") or Path(__file__).resolve().parents[2])
CONFIG = os.environ.get("LIVESHELF_CONFIG") or "conf/local.yaml"
BIN = HOME / (os.environ.get("LIVESHELF_BIN") or ".venv/bin")
SPARK_PROPERTIES = HOME / (os.environ.get("LIVESHELF_SPARK_PROPERTIES") or "conf/spark-defaults.conf")
PACKAGES = HOME / "dist/pyfiles.zip"  # `make package`
RETRIES = int(os.environ.get("LIVESHELF_RETRIES") or 2)
SPARK_CONNECTION = "liveshelf_spark"

# The instant that a run is about. Runs by the clock have an interval; runs by an asset or by hand may have none. A retry
# of a run is about the same instant, and so finds the same.
INSTANT = "(dag_run.data_interval_end or dag_run.run_after)"
AS_OF = f"{{{{ {INSTANT}.isoformat() }}}}"
AS_OF_WITHOUT_ZONE = f"{{{{ {INSTANT}.strftime('%Y-%m-%dT%H:%M:%S') }}}}"  # UTC, as Airflow's instants are

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "liveshelf",
    "retries": RETRIES,
    "retry_delay": timedelta(minutes=5),
    "execution_timeout": timedelta(hours=1),
    "on_failure_callback": FailureNotifier(),
}
# Of every DAG. A missed run is not made up for: the next one looks at all that has come since.
POLICY: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=timezone.utc),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": DEFAULT_ARGS,
}
