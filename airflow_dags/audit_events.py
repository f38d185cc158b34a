"""Great Expectations itself on what was filed in the last day: every night.

`audit_events` fails when its counts differ from the recorded verdicts, a rule could not be run, or a rule about whole hours
alerts. It judges the tables as they are; a second look would find the same, so it is tried again only once.
"""

from datetime import timedelta

from airflow.sdk import DAG
from liveshelf.notifier import late_after
from liveshelf.operators import SparkJob
from liveshelf.project import POLICY, RETRIES

with DAG(
    "audit_events",
    schedule="30 4 * * *",
    dagrun_timeout=timedelta(hours=5),
    deadline=late_after(timedelta(hours=3)),
    tags=["liveshelf", "tables"],
    doc_md=__doc__,
    **POLICY,
):
    SparkJob(
        task_id="audit_events",
        job="audit_events",
        arguments=["--days", "1"],
        retries=min(RETRIES, 1),
        execution_timeout=timedelta(hours=2),
    )
