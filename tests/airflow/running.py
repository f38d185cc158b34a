"""Runs Airflow's own command line, and reads what came of it from its database."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

TIMEOUT_SECONDS = 900


def airflow(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`airflow ARGUMENTS`, once: no retries, and no deadlines, with which `airflow dags test` cannot end well."""
    fixed = {"AIRFLOW_HOME": str(home), "LIVESHELF_RETRIES": "0", "LIVESHELF_DEADLINES": "no"}
    return subprocess.run(
        [Path(sys.executable).with_name("airflow"), *arguments],
        env={**os.environ, **fixed, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def new_home(folder: Path, migrated: Path) -> Path:
    """A folder of Airflow with a database that is migrated already. Not its airflow.cfg: that names the other database."""
    folder.mkdir()
    shutil.copy(migrated / "airflow.db", folder)
    return folder


def states(home: Path) -> dict[str, str]:
    """Task → how it ended, in the newest run."""
    query = "SELECT t.task_id, t.state FROM task_instance t JOIN dag_run r USING (dag_id, run_id) ORDER BY r.run_after"
    return dict(_rows(home, query))


def values(home: Path) -> dict[str, object]:
    """Task → what it returned."""
    rows = _rows(home, "SELECT task_id, value FROM xcom WHERE key = 'return_value'")
    return {task: json.loads(value) for task, value in rows if value}


def emitted(home: Path) -> list[tuple[str, dict[str, object]]]:
    """The events of assets: name and what they carry, oldest first."""
    query = "SELECT a.name, e.extra FROM asset_event e JOIN asset a ON a.id = e.asset_id ORDER BY e.id"
    return [(name, json.loads(extra)) for name, extra in _rows(home, query)]


def _rows(home: Path, query: str) -> list[tuple[str, str]]:
    with sqlite3.connect(home / "airflow.db") as connection:
        return connection.execute(query).fetchall()
