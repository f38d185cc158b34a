"""Jobs as processes of their own, forked from one that has imported what they need: a third of a start is Python's imports."""

import multiprocessing
import os
from collections.abc import Mapping
from pathlib import Path

from tests.crash.dying import Point, arm

_FORKSERVER = multiprocessing.get_context("forkserver")
# For micro-batches of a few hundred rows, Spark's generated code costs more than it saves: a fifth of such a job.
_INTERPRETED = "-Dspark.sql.codegen.wholeStage=false -Dspark.sql.codegen.factoryMode=NO_CODEGEN"
_JOBS = ["jobs.build_features", "jobs.personalize", "jobs.validate_events"]
_FORKSERVER.set_forkserver_preload(  # in this order: conftest gives PySpark a main file, jobs switch reports to makers off
    ["tests.conftest", *_JOBS, "pipelines.tracking.registry", "great_expectations.expectations"]
)


class ForkedJob:
    """`liveshelf ARGUMENTS`, in a session of its own: killing its process group kills its JVM and workers with it."""

    def __init__(
        self, arguments: list[str], log: Path, environment: Mapping[str, str] = os.environ, dies_at: Point | None = None
    ) -> None:
        options = f"{environment.get('SPARK_SUBMIT_OPTS', '')} {_INTERPRETED}"
        self._process = _FORKSERVER.Process(
            target=_run, args=(arguments, log, {**environment, "SPARK_SUBMIT_OPTS": options}, dies_at)
        )
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """How it ended, as subprocess says it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout_seconds: float | None = None) -> int | None:
        self._process.join(timeout_seconds)
        return self.poll()


def _run(arguments: list[str], log: Path, environment: Mapping[str, str], dies_at: Point | None) -> None:
    from jobs.__main__ import main

    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    if dies_at:
        arm(dies_at)
    main(arguments, prog_name="liveshelf")
