"""Imports go one way: ground floor ← stage rooms (← evaluation) ← sources, sinks, stores ← hot path ← local ← jobs."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
GROUND = {
    "errors",
    "schemas",
    "config",
    "section",
    "sections",
    "model_sections",
    "collector_sections",
    "bridge_sections",
    "list_sections",
    "evaluation_sections",
    "evaluation_schemas",
    "drift_sections",
    "drift_schemas",
    "freshness_sections",
    "monitoring_sections",
    "schema_field",
    "task_reports",
    "logs",
}
STAGES = {"events", "features", "models", "catalogue", "lists"}
WORLD = {"sources", "sinks", "stores"}
STREAMS = {"session", "streams", "progress", "tally"}

# room → rooms of `pipelines` that it may import, itself aside
MAY_IMPORT = {
    **dict.fromkeys(GROUND, GROUND),
    **dict.fromkeys(STAGES, GROUND | STAGES),
    "evaluation": GROUND | STAGES,
    "drift": GROUND | STAGES,
    "freshness": GROUND,
    "monitoring": GROUND | {"stores", "http", "tally"},
    "training": GROUND | STAGES | {"evaluation"},
    "locks": GROUND,
    **dict.fromkeys(WORLD, GROUND | {"locks", "catalogue"}),
    **dict.fromkeys(STREAMS, GROUND | {"progress"}),
    "audit": GROUND | {"events"},
    "http": GROUND,
    "collecting": GROUND | {"events", "sinks", "http"},
    "serving": GROUND | STAGES | {"stores", "sinks", "http", "monitoring"},
    "tracking": GROUND | STAGES | {"locks", "evaluation"},
    "hot_path": GROUND | STAGES | {"stores"},
    "exploring": GROUND | STAGES | {"stores", "hot_path", "tracking"},
    "local": GROUND | STAGES | WORLD | {"locks", "session", "streams"},
}
# rooms of the world's clients: what a stage room must not touch
CLIENTS = {"redis", "kafka", "delta", "deltalake", "mlflow", "time", "socket", "subprocess"}


def python_files(folder: str) -> list[Path]:
    return sorted((PROJECT / folder).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def code_of(path: Path) -> str:
    """Without comments."""
    return ast.unparse(parsed(path))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path: Path) -> str:
    return path.relative_to(PROJECT / "pipelines").parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("pipelines.")} - {"__version__"}


@pytest.mark.parametrize("path", python_files("pipelines"), ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_room_imports_only_what_is_below_it(path):
    room = room_of(path)
    if room == "__init__":
        return

    assert rooms_imported(path) - {room} <= MAY_IMPORT[room]
    assert not any(name.split(".")[0] == "jobs" for name in imported(path)), "a room imports a job"


@pytest.mark.parametrize(
    "path",
    [path for room in sorted({*STAGES, "evaluation"}) for path in python_files(f"pipelines/{room}")],
    ids=lambda path: str(path.relative_to(PROJECT)),
)
def test_a_stage_room_touches_no_client_and_no_clock(path):
    roots = {name.split(".")[0] for name in imported(path)}
    calls = code_of(path)

    assert not roots & CLIENTS
    assert not [word for word in ("datetime.now", "utcnow", "os.environ[", "os.environ.get", "getenv") if word in calls]


def test_jobs_do_not_import_each_other():
    jobs = {path.stem for path in python_files("jobs") if not path.stem.startswith("_")}
    for path in python_files("jobs"):
        others = {f"jobs.{job}" for job in jobs - {path.stem}}
        assert not set(imported(path)) & others, path


def test_only_jobs_tests_and_benchmarks_import_the_local_room():
    for path in python_files("pipelines"):
        if room_of(path) != "local":
            assert "local" not in rooms_imported(path), path


def test_only_the_tracking_room_and_jobs_import_mlflow():
    """Before anything of MLflow is imported, the room tells it to be silent."""
    for path in [*python_files("pipelines"), *python_files("benchmarks")]:
        if not path.is_relative_to(PROJECT / "pipelines/tracking"):
            assert "mlflow" not in {name.split(".")[0] for name in imported(path)}, path


@pytest.mark.parametrize(
    ("text", "only_in"),
    [
        pytest.param("SparkSession.builder", ["pipelines/session.py"], id="one-session-builder"),
        pytest.param(".writeStream", ["pipelines/streams.py"], id="one-writeStream"),
        pytest.param(
            ".readStream", [f"pipelines/sources/{kind}.py" for kind in ("delta", "kafka")], id="one-readStream"
        ),
    ],
)
def test_there_is_one(text, only_in):
    having = [path for folder in ("jobs", "pipelines") for path in python_files(folder) if text in code_of(path)]

    assert [str(path.relative_to(PROJECT)) for path in having] == only_in


def test_no_file_has_a_name_that_says_nothing():
    forbidden = {"utils", "common", "helpers", "misc", "manager", "base"}
    assert not [
        path
        for folder in ("jobs", "pipelines", "benchmarks")
        for path in python_files(folder)
        if path.stem in forbidden
    ]


def test_no_job_is_named_like_a_library():
    """spark-submit puts jobs/ first on sys.path, so jobs/yaml.py would win over PyYAML."""
    from importlib.metadata import packages_distributions

    libraries = set(packages_distributions())
    assert not [path.stem for path in python_files("jobs") if path.stem in libraries]
