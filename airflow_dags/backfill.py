"""Make results of the past anew, by hand: choose what, and from which day to which.

| what | what it does |
|---|---|
| `evaluation` | `evaluate_model` as of the end of each day, without the gate |
| `drift` | `detect_drift` as of the end of each day |
| `profiles` | `rebuild_profiles` of users who did something in these days |
| `features` | the feature tables of this version brought up to date, and all profiles with them, whatever the days |

Days are UTC, the first and the last included. One day after the other; results of a day are replaced, not added to. No
alert is raised and no training asked for: it is about the past.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task
from liveshelf.days import ends_of_days
from liveshelf.operators import SparkJob, WatchingSparkJob
from liveshelf.project import POLICY

SINCE = "{{ params.since }}"
UNTIL = "{{ macros.ds_add(params.until, 1) }}"  # of jobs that take the instant before which


with DAG(
    "backfill",
    schedule=None,
    params={
        "what": Param("evaluation", enum=["evaluation", "drift", "profiles", "features"]),
        "since": Param("2026-01-01", type="string", format="date", description="the first day, UTC"),
        "until": Param("2026-01-01", type="string", format="date", description="the last day, UTC"),
    },
    dagrun_timeout=timedelta(days=3),
    tags=["liveshelf", "by hand"],
    doc_md=__doc__,
    **POLICY,
):

    @task.branch(retries=0)
    def choose(*, params: Any = None) -> str:
        return str(params["what"])

    @task(retries=0)
    def days(*, params: Any = None) -> list[list[str]]:
        return [["--as-of", instant] for instant in ends_of_days(params["since"], params["until"])]

    chosen, each_day = choose(), days()
    chosen >> [
        WatchingSparkJob.partial(task_id="evaluation", job="evaluate_model", max_active_tis_per_dag=1).expand(
            arguments=each_day
        ),
        WatchingSparkJob.partial(task_id="drift", job="detect_drift", max_active_tis_per_dag=1).expand(
            arguments=each_day
        ),
        SparkJob(
            task_id="profiles",
            job="rebuild_profiles",
            arguments=["--since", SINCE, "--until", UNTIL],
            execution_timeout=timedelta(hours=12),
        ),
        SparkJob(
            task_id="features",
            job="rebuild_profiles",
            arguments=["--tables"],
            execution_timeout=timedelta(hours=24),
        ),
    ]
