"""Tasks that run a job of the project: on Spark by spark-submit, without Spark as a plain process.

A job that watches returns what it found: it writes `--result` into a folder of the task, and the task's value is that JSON.
So the tasks after it need no folder in common, and people see it in Airflow. With `--exit-zero` an alert is no failure of
the job, which would be tried again: another task fails for it (`verdicts.py`).
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import BaseHook, BaseOperator
from airflow.sdk.exceptions import AirflowException

from liveshelf.project import BIN, CONFIG, HOME, PACKAGES, SPARK_CONNECTION, SPARK_PROPERTIES

WIDE = {"COLUMNS": "160"}  # the jobs' tables, where there is no terminal to ask


class SparkJob(SparkSubmitOperator):
    """`spark-submit --properties-file … --py-files … jobs/JOB.py ARGUMENTS`, in the project folder, in client mode.

    The master is that of the connection `liveshelf_spark`. Driver and workers run with the jobs' own Python.
    """

    def __init__(self, *, job: str, arguments: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(
            application=str(HOME / "jobs" / f"{job}.py"),
            application_args=["--config", CONFIG, *arguments],
            py_files=str(PACKAGES),
            properties_file=str(SPARK_PROPERTIES),
            spark_binary=str(BIN / "spark-submit"),
            env_vars={"PYSPARK_DRIVER_PYTHON": str(BIN / "python"), **WIDE},
            conn_id=SPARK_CONNECTION,
            deploy_mode="client",
            name=f"liveshelf-{job}",
            **kwargs,
        )

    def execute(self, context: Any) -> Any:
        master = BaseHook.get_connection(
            SPARK_CONNECTION
        ).host  # raises where there is none: the provider would take YARN
        if (master or "").startswith("local"):
            self.env_vars = {"SPARK_LOCAL_IP": "127.0.0.1", **(self.env_vars or {})}
        with _in_folder(HOME):
            super().execute(context)


class WatchingSparkJob(SparkJob):
    """A `SparkJob` whose value is what it found."""

    def execute(self, context: Any) -> Any:
        with TemporaryDirectory(prefix="liveshelf-") as folder:
            path = Path(folder) / "findings.json"
            self.application_args = [*(self.application_args or ()), *_telling(path)]
            super().execute(context)
            return json.loads(path.read_text(encoding="utf-8"))


class WatchingJob(BaseOperator):
    """`python -m jobs JOB ARGUMENTS` in the project folder, for a job without Spark; its value is what it found."""

    template_fields = ("arguments",)

    def __init__(self, *, job: str, arguments: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job, self.arguments = job, list(arguments)
        self._hook = SubprocessHook()

    def execute(self, context: Any) -> Any:  # noqa: ARG002  the signature is Airflow's
        with TemporaryDirectory(prefix="liveshelf-") as folder:
            path = Path(folder) / "findings.json"
            command = [
                str(BIN / "python"),
                "-m",
                "jobs",
                self.job,
                "--config",
                CONFIG,
                *self.arguments,
                *_telling(path),
            ]
            ended = self._hook.run_command(command, env={**os.environ, **WIDE}, cwd=str(HOME))
            if ended.exit_code != 0:
                raise AirflowException(f"{self.job} ended with {ended.exit_code}: {ended.output}")
            return json.loads(path.read_text(encoding="utf-8"))

    def on_kill(self) -> None:
        self._hook.send_sigterm()  # type: ignore[no-untyped-call]


def _telling(result: Path) -> list[str]:
    return ["--result", str(result), "--exit-zero"]


@contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    """The provider starts spark-submit where the task is; paths of the configuration count from the project folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
