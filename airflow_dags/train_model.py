"""A new challenger: every night, and when one of the watching DAGs asks for it.

`train_model` learns from the events that had arrived by the run's instant, so a retry learns from the same ones. The model
becomes challenger; `evaluate_models` judges it by what users do after, and lets it become champion if it is better.
"""

from datetime import timedelta

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable
from liveshelf.notifier import late_after
from liveshelf.operators import SparkJob
from liveshelf.project import AS_OF_WITHOUT_ZONE, POLICY
from liveshelf.verdicts import MODEL_TRAINED, REASONS_TO_TRAIN

with DAG(
    "train_model",
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("30 2 * * *", timezone="UTC"), assets=REASONS_TO_TRAIN),
    dagrun_timeout=timedelta(hours=13),
    deadline=late_after(timedelta(hours=5)),
    tags=["liveshelf", "models"],
    doc_md=__doc__,
    **POLICY,
):
    SparkJob(
        task_id="train_model",
        job="train_model",
        arguments=["--known-by", AS_OF_WITHOUT_ZONE],
        execution_timeout=timedelta(hours=4),
        outlets=[MODEL_TRAINED],
    )
