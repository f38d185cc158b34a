"""Is the data fresh, and the model? Every ten minutes.

`check_freshness` looks at the ages of the newest event, the heartbeats of the streams and the champion. Past a soft limit
`alert` fails; past a hard limit the job has switched serving to what stands in, and `alert` says so. When the model is too
old, `ask_for_training` triggers `train_model`. Needs no Spark.
"""

from datetime import timedelta

from airflow.sdk import DAG
from liveshelf.notifier import late_after
from liveshelf.operators import WatchingJob
from liveshelf.project import POLICY, RETRIES
from liveshelf.verdicts import MODEL_REFRESH_DUE, alert, ask_for_training

with DAG(
    "check_freshness",
    schedule="*/10 * * * *",
    dagrun_timeout=timedelta(minutes=9),
    deadline=late_after(timedelta(minutes=6)),
    tags=["liveshelf", "watch"],
    doc_md=__doc__,
    **POLICY,
):
    # It looks at now, so a run that comes late has nothing to say: one retry, soon.
    findings = WatchingJob(
        task_id="check_freshness",
        job="check_freshness",
        retries=min(RETRIES, 1),
        retry_delay=timedelta(minutes=1),
        execution_timeout=timedelta(minutes=3),
    ).output
    alert(findings)
    ask_for_training(findings, "is_model_refresh_due", MODEL_REFRESH_DUE)
