"""Tells people: what failed, and what is late.

LIVESHELF_DEADLINES=no makes DAGs without deadlines: with one, `airflow dags test` of Airflow 3.3.2 ends in a traceback after
a run that went well (apache/airflow#73428).
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
from airflow.sdk import BaseHook, BaseNotifier
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.exceptions import AirflowNotFoundException

WEBHOOK_CONNECTION = "liveshelf_webhook"
TIMEOUT_SECONDS = 10.0
MAX_REASON_CHARACTERS = 2_000


class FailureNotifier(BaseNotifier):
    """Log it, and post it as `{"text": …}` to the connection `liveshelf_webhook`, where there is one.

    Its host is the whole address; its password, if it has one, is sent as a bearer token. A webhook that does not answer
    is logged, and fails nothing.
    """

    def notify(self, context: Mapping[str, Any]) -> None:
        text = message(context)
        self.log.error("%s", text)
        try:
            webhook = BaseHook.get_connection(WEBHOOK_CONNECTION)
        except AirflowNotFoundException:
            return
        headers = {"Authorization": f"Bearer {webhook.password}"} if webhook.password else {}
        httpx.post(str(webhook.host), json={"text": text}, headers=headers, timeout=TIMEOUT_SECONDS).raise_for_status()


def late_after(interval: timedelta) -> DeadlineAlert | None:
    """Tell of a run that has not ended so long after it was queued. The run goes on."""
    if os.environ.get("LIVESHELF_DEADLINES") == "no":
        return None
    return DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, interval, SyncCallback(FailureNotifier))


def message(context: Mapping[str, Any]) -> str:
    """One text for people, of the context of a task that failed or of a deadline that was missed."""
    if "deadline" in context:
        run = context["dag_run"]
        return f"Liveshelf: {run['dag_id']} is late: {run['dag_run_id']} has not ended by {context['deadline']['deadline_time']}"
    task, run = context["ti"], context["dag_run"]
    reason = str(context.get("exception") or "no reason was given")[:MAX_REASON_CHARACTERS]
    return f"Liveshelf: {task.dag_id}.{task.task_id} failed in {run.run_id}: {reason}"
