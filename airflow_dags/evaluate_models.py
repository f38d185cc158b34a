"""How good are the lists, and may the challenger become champion? Every night, before the next model is trained.

`evaluate_model` judges champion and challenger by what users did since, as of the end of the run's interval, and what was
really served. With `--gate` a challenger that is better beyond the interval becomes champion. When relevance has fallen, or
the champion is worse than a plain baseline, `alert` fails; for falling relevance `ask_for_training` triggers `train_model`.
"""

from datetime import timedelta

from airflow.sdk import DAG
from liveshelf.notifier import late_after
from liveshelf.operators import WatchingSparkJob
from liveshelf.project import AS_OF, POLICY
from liveshelf.verdicts import RELEVANCE_FALLING, alert, ask_for_training

with DAG(
    "evaluate_models",
    schedule="30 1 * * *",
    dagrun_timeout=timedelta(hours=7),
    deadline=late_after(timedelta(hours=3)),
    tags=["liveshelf", "watch", "models"],
    doc_md=__doc__,
    **POLICY,
):
    findings = WatchingSparkJob(
        task_id="evaluate_model",
        job="evaluate_model",
        arguments=["--as-of", AS_OF, "--gate"],
        execution_timeout=timedelta(hours=2),
    ).output
    alert(findings)
    ask_for_training(findings, "is_relevance_falling", RELEVANCE_FALLING)
