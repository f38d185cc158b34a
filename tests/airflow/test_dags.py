"""What every DAG must have, and what the DAGs say to the jobs."""

import ast
import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pendulum
import pytest

from tests.airflow.conftest import DAGS, PROJECT

SCHEDULES = {
    "check_freshness": "*/10 * * * *",
    "detect_drift": "7 * * * *",
    "evaluate_models": "30 1 * * *",
    "train_model": "30 2 * * *",
    "maintain_tables": "30 3 * * *",
    "audit_events": "30 4 * * *",
    "backfill": None,
}
TASKS = {
    "check_freshness": {"check_freshness", "alert", "ask_for_training"},
    "detect_drift": {"detect_drift", "alert", "ask_for_training"},
    "evaluate_models": {"evaluate_model", "alert", "ask_for_training"},
    "train_model": {"train_model"},
    "maintain_tables": {"maintain_tables"},
    "audit_events": {"audit_events"},
    "backfill": {"choose", "days", "evaluation", "drift", "profiles", "features"},
}
BY_THE_CLOCK = [name for name, schedule in SCHEDULES.items() if schedule]
INSTANT = pendulum.datetime(2026, 11, 20, 1, 30)
PARAMS = {"what": "profiles", "since": "2026-11-01", "until": "2026-11-03"}


def cron_of(dag) -> str | None:
    timetable = getattr(dag.timetable, "timetable", dag.timetable)
    return getattr(timetable, "expression", None)


def test_the_dags_are_these_with_these_tasks(dags):
    assert {name: set(dag.task_ids) for name, dag in dags.items()} == TASKS


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_dag_runs_when_it_should(dags, name):
    dag = dags[name]

    assert cron_of(dag) == SCHEDULES[name]
    assert not dag.catchup
    assert dag.max_active_runs == 1
    assert dag.start_date.utcoffset() == timedelta(0)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_dag_says_what_it_is_for(dags, name):
    dag = dags[name]

    assert dag.doc_md and len(dag.doc_md) > 100
    assert "liveshelf" in dag.tags
    assert Path(dag.fileloc).name == f"{name}.py"


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_task_has_an_owner_an_end_and_somebody_to_tell(dags, name):
    from liveshelf.notifier import FailureNotifier

    for task in dags[name].tasks:
        assert task.owner == "liveshelf", task
        assert timedelta(0) < task.execution_timeout <= timedelta(hours=24), task
        callbacks = task.on_failure_callback
        assert any(
            isinstance(one, FailureNotifier) for one in (callbacks if isinstance(callbacks, list) else [callbacks])
        )


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_job_is_tried_again_and_a_verdict_is_not(dags, name):
    verdicts = {"alert", "ask_for_training", "choose", "days"}

    assert {task.task_id: task.retries > 0 for task in dags[name].tasks} == {
        task_id: task_id not in verdicts for task_id in TASKS[name]
    }


@pytest.mark.parametrize("name", BY_THE_CLOCK)
def test_whoever_is_late_is_told_of_before_the_run_is_ended(dags, name):
    deadline = dags[name].deadline[0]

    assert deadline.interval < dags[name].dagrun_timeout
    assert deadline.callback.path == "liveshelf.notifier.FailureNotifier"


@pytest.mark.parametrize("name", SCHEDULES)
def test_all_attempts_fit_into_the_run(dags, name):
    """A last retry that the end of the run would cut off is no retry."""
    for task in dags[name].tasks:
        if name != "backfill":
            longest = (task.retries + 1) * task.execution_timeout + task.retries * task.retry_delay
            assert longest <= dags[name].dagrun_timeout or task.retries == 0, task


def test_the_dags_have_no_cycle(dags):
    for dag in dags.values():
        dag.check_cycle()


def test_who_asks_for_training_and_who_listens(dags):
    asks = {
        (name, task.task_id, asset.name) for name, dag in dags.items() for task in dag.tasks for asset in task.outlets
    }
    listens = {asset.name for asset in dags["train_model"].timetable.asset_condition.objects}

    assert asks == {
        ("detect_drift", "ask_for_training", "liveshelf_drift_found"),
        ("evaluate_models", "ask_for_training", "liveshelf_relevance_falling"),
        ("check_freshness", "ask_for_training", "liveshelf_model_refresh_due"),
        ("train_model", "train_model", "liveshelf_model_trained"),
    }
    assert listens == {"liveshelf_drift_found", "liveshelf_relevance_falling", "liveshelf_model_refresh_due"}


def rendered(dags, interval_end) -> dict[str, list[list[str]]]:
    """Job → the arguments that each task gives it, rendered, of a run with or without an interval."""
    run = SimpleNamespace(data_interval_end=interval_end, run_after=INSTANT)
    context = {
        "dag_run": run,
        "params": PARAMS,
        "macros": __import__("airflow.sdk.execution_time.macros", fromlist=["x"]),
    }
    calls: dict[str, list[list[str]]] = {}
    for dag in dags.values():
        for task in dag.tasks:
            if task.is_mapped:
                job = task.partial_kwargs["job"]
                calls.setdefault(job, []).append(
                    ["--config", "conf/local.yaml", "--as-of", "2026-11-02T00:00:00+00:00"]
                )
            elif hasattr(task, "application_args"):
                arguments = [task.render_template(text, context) for text in task.application_args]
                calls.setdefault(Path(task.application).stem, []).append(arguments)
            elif hasattr(task, "job"):
                calls.setdefault(task.job, []).append([task.render_template(text, context) for text in task.arguments])
    return calls


@pytest.mark.parametrize("interval_end", [INSTANT, None], ids=["by-the-clock", "by-an-asset-or-by-hand"])
def test_a_run_is_about_its_own_instant(dags, interval_end):
    calls = rendered(dags, interval_end)

    assert ["--config", "conf/local.yaml", "--as-of", "2026-11-20T01:30:00+00:00"] in calls["detect_drift"]
    assert calls["train_model"] == [["--config", "conf/local.yaml", "--known-by", "2026-11-20T01:30:00"]]
    assert ["--config", "conf/local.yaml", "--since", "2026-11-01", "--until", "2026-11-04"] in calls[
        "rebuild_profiles"
    ]
    assert "{{" not in json.dumps(calls)


def test_the_jobs_take_what_they_are_told(dags):
    """Parsed by each job's own command, in the jobs' environment; nothing is run."""
    calls = rendered(dags, INSTANT)
    watching = {"evaluate_model", "detect_drift", "check_freshness"}
    for job in watching & set(calls):
        calls[job] = [[*arguments, "--result", "findings.json", "--exit-zero"] for arguments in calls[job]]
    code = (
        "import importlib, json, sys\n"
        "for job, calls in json.load(sys.stdin).items():\n"
        "    for arguments in calls:\n"
        "        importlib.import_module(f'jobs.{job}').main.make_context(job, arguments)\n"
    )
    python = PROJECT / ".venv/bin/python"
    run = subprocess.run(
        [python, "-c", code], input=json.dumps(calls), capture_output=True, text=True, cwd=PROJECT, check=False
    )

    assert run.returncode == 0, run.stderr[-2000:]
    assert all((PROJECT / "jobs" / f"{job}.py").is_file() for job in calls)


def test_what_the_tasks_start_is_there(dags):
    from liveshelf import project

    for path in (
        project.BIN / "spark-submit",
        project.BIN / "python",
        project.SPARK_PROPERTIES,
        project.HOME / project.CONFIG,
    ):
        assert path.exists(), path
    for dag in dags.values():
        for task in dag.tasks:
            if hasattr(task, "application"):
                assert Path(task.application).is_file()


def test_dags_are_read_without_a_process_a_connection_or_a_query():
    """Airflow reads the files again and again: what they do while being read, they do all day."""
    code = f"""
import sys
sys.path.insert(0, {str(DAGS)!r})
import liveshelf.operators, liveshelf.verdicts  # Airflow's own imports may do as they like
for name in [name for name in sys.modules if name.startswith("liveshelf")]:
    del sys.modules[name]
import airflow.settings
forbidden = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.fork", "sqlite3.connect")
def refuse(event, args):
    if event in forbidden:
        raise RuntimeError(f"{{event}} {{args}}")
sys.addaudithook(refuse)
import runpy
from pathlib import Path
for path in sorted(Path({str(DAGS)!r}).glob("*.py")):
    runpy.run_path(str(path))
    print(path.stem)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr[-2000:]
    assert set(run.stdout.split()) >= set(SCHEDULES)


@pytest.mark.parametrize("path", sorted(DAGS.glob("*.py")), ids=lambda path: path.stem)
def test_the_top_of_a_dag_file_only_imports_and_declares(path):
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.With, ast.Expr)

    assert all(isinstance(node, allowed) for node in ast.parse(path.read_text()).body)


def test_days_of_a_backfill_are_both_included(dags):
    from liveshelf.days import ends_of_days

    assert ends_of_days("2026-02-27", "2026-03-01") == [
        f"{day}T00:00:00+00:00" for day in ("2026-02-28", "2026-03-01", "2026-03-02")
    ]
    with pytest.raises(ValueError, match="until must not be before since; got since 2026-03-02, until 2026-03-01"):
        ends_of_days("2026-03-02", "2026-03-01")
