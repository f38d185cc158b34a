"""Are events, features and scores still what they were? Every hour.

`detect_drift` compares the current window with the reference before it, as of the end of the run's interval. On drift `alert`
fails with the figures, and `ask_for_training` triggers `train_model`.
"""

from datetime import timedelta

from airflow.sdk import DAG
from liveshelf.notifier import late_after
from liveshelf.operators import WatchingSparkJob
from liveshelf.project import AS_OF, POLICY
from liveshelf.verdicts import DRIFT_FOUND, alert, ask_for_training

with DAG(
    "detect_drift",
    schedule="7 * * * *",  # the streams have filed the hour before
    dagrun_timeout=timedelta(minutes=55),
    deadline=late_after(timedelta(minutes=40)),
    tags=["liveshelf", "watch"],
    doc_md=__doc__,
    **POLICY,
):
    findings = WatchingSparkJob(
        task_id="detect_drift",
        job="detect_drift",
        arguments=["--as-of", AS_OF],
        execution_timeout=timedelta(minutes=15),
    ).output
    alert(findings)
    ask_for_training(findings, "is_drifting", DRIFT_FOUND)
