"""Old days deleted, small files compacted, unneeded ones removed: every night, beside the streams.

`maintain_tables` does what is left when it is run again, so a retry goes on where other writers kept it from finishing.
"""

from datetime import timedelta

from airflow.sdk import DAG
from liveshelf.notifier import late_after
from liveshelf.operators import SparkJob
from liveshelf.project import POLICY

with DAG(
    "maintain_tables",
    schedule="30 3 * * *",
    dagrun_timeout=timedelta(hours=10),
    deadline=late_after(timedelta(hours=4)),
    tags=["liveshelf", "tables"],
    doc_md=__doc__,
    **POLICY,
):
    SparkJob(task_id="maintain_tables", job="maintain_tables", execution_timeout=timedelta(hours=3))
