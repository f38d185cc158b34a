"""What comes of findings: an alert fails a task, and a reason to train again becomes an event of an asset."""

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Asset, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

Findings = Any  # the JSON of a job that watches; where DAGs are made, the task whose value it will be

DRIFT_FOUND = Asset("liveshelf_drift_found", group="liveshelf")
RELEVANCE_FALLING = Asset("liveshelf_relevance_falling", group="liveshelf")
MODEL_REFRESH_DUE = Asset("liveshelf_model_refresh_due", group="liveshelf")
MODEL_TRAINED = Asset("liveshelf_model_trained", group="liveshelf")
REASONS_TO_TRAIN = DRIFT_FOUND | RELEVANCE_FALLING | MODEL_REFRESH_DUE

# A reason stays while its window does; training each time it is seen would change nothing but cost.
PAUSE = timedelta(hours=12)


@task(retries=0)
def alert(findings: Findings) -> None:
    """Fail, with the job's own lines, where it has alerts. Not tried again: the same instant gives the same findings."""
    if not findings["is_well"]:
        raise AirflowFailException("\n".join([f"{findings['job']}: an alert", *findings["alerts"]]))


def ask_for_training(findings: Findings, verdict: str, reason: Asset) -> None:
    """Add a task that emits `reason` when the findings' key `verdict` says so, and at most once in `PAUSE`.

    A run that makes up for the past asks for nothing: it is not about the model of now.
    """

    @task(task_id="ask_for_training", inlets=[reason], outlets=[reason], retries=0)
    def ask(findings: Findings, *, dag_run: Any = None, inlet_events: Any = None, outlet_events: Any = None) -> None:
        if not findings[verdict]:
            raise AirflowSkipException(f"{verdict} is false: no reason to train")
        if dag_run.run_type == "backfill":
            raise AirflowSkipException("a backfill: not about the model of now")
        asked_at = [event.timestamp for event in inlet_events[reason]]
        if asked_at and not is_pause_over(max(asked_at), dag_run.run_after):
            raise AirflowSkipException(f"asked for at {max(asked_at)} already; again after {PAUSE}")
        outlet_events[reason].extra = {"as_of": findings["as_of"], "alerts": findings["alerts"]}

    ask(findings)


def is_pause_over(asked_at: datetime, now: datetime) -> bool:
    """Whether training may be asked for again."""
    return now - asked_at >= PAUSE
