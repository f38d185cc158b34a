"""An archive of the classes that a job's JVM loads, so that a job starts with a third less work (class data sharing).

Java itself compares the archive with its own version and with the jars, and does without one that does not fit: a stale
or missing archive makes a start slower, never wrong. docs/spark-settings.md has what it saves.
"""

import os
import subprocess
import sys
from pathlib import Path

from pipelines.local.jars import DEFAULTS, HOME, spark_jars
from pipelines.locks import exclusive
from pipelines.session import SUBMIT_VARIABLE, submit_arguments

MAKING_SECONDS = 600.0


def class_archive(home: Path = HOME) -> Path | None:
    """Return the archive that `make_class_archive` made, None where there is none."""
    path = _path(home)
    return path if path.is_file() else None


def make_class_archive(home: Path = HOME, defaults: Path = DEFAULTS) -> Path | None:
    """Run a small job once (class_training.py) and keep what it loaded, some 200 MB; None where this Java makes no archive.

    What was there is replaced only by a whole one; how the job went is in `home`/logs/class-archive.log.
    """
    path = _path(home)
    fresh, log = path.with_suffix(".new"), home.resolve() / "logs" / "class-archive.log"
    with exclusive(path.parent / "lock"):
        fresh.unlink(missing_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        dump = {"spark.driver.defaultJavaOptions": f'"-XX:ArchiveClassesAtExit={fresh}" -XX:TieredStopAtLevel=1'}
        arguments = submit_arguments(defaults, spark_jars(home, defaults), "local[2]", dump)
        environment = {**os.environ, SUBMIT_VARIABLE: arguments, "SPARK_LOCAL_IP": "127.0.0.1"}
        command = [sys.executable, "-m", "pipelines.local.class_training", *map(str, spark_jars(home, defaults))]
        try:
            with log.open("wb") as out:
                subprocess.run(command, env=environment, stdout=out, stderr=out, timeout=MAKING_SECONDS, check=True)
            fresh.replace(path)
        except (OSError, subprocess.SubprocessError):
            fresh.unlink(missing_ok=True)
            return None
    return path


def main() -> int:
    """Make the archive of the project in the current folder; used by the set-up."""
    made = make_class_archive()
    if made is None:
        print("  no class archive: jobs start some seconds later (.liveshelf/logs/class-archive.log)", file=sys.stderr)
    else:
        print(f"  class archive: {made.stat().st_size // 1_000_000} MB", file=sys.stderr)
    return 0


def _path(home: Path) -> Path:
    return (home / "jars").resolve() / "classes.jsa"


if __name__ == "__main__":
    sys.exit(main())
