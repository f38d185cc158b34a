"""The jars that Spark and the embedded broker need beside what pyspark ships: resolved once, then used from disk.

Their coordinates are in `conf/spark-defaults.conf` and nowhere else.
"""

import json
import shutil
import sys
from pathlib import Path

import pyspark

from pipelines.errors import LiveshelfError, ServerError
from pipelines.local import ivy
from pipelines.locks import exclusive

HOME = Path(".liveshelf")
DEFAULTS = Path("conf/spark-defaults.conf")
KEYS = {"spark": "spark.jars.packages", "kafka": "spark.liveshelf.broker.package"}
Coordinates = dict[str, list[str]]


def spark_jars(home: Path = HOME, defaults: Path = DEFAULTS) -> list[Path]:
    """Return what `--jars` of Spark needs, resolved first if that was not done. Raises as `resolve_jars`."""
    return _jars("spark", home, defaults)


def broker_jars(home: Path = HOME, defaults: Path = DEFAULTS) -> list[Path]:
    """Return the class path of the broker, resolved first if that was not done. Raises as `resolve_jars`."""
    return _jars("kafka", home, defaults)


def resolve_jars(progress: ivy.Progress, home: Path = HOME, defaults: Path = DEFAULTS) -> None:
    """Make the jars on disk those of `defaults`; quick when they are.

    A folder is swapped only when it is complete, so an interrupted run leaves what was there. Raises ServerError, with
    what to do, when the coordinates cannot be read or the jars not be had.
    """
    coordinates = read_coordinates(defaults)
    folder = home.resolve() / "jars"
    with exclusive(folder / "lock"):
        if _files(folder, coordinates) is not None:
            return
        fresh = folder / "incoming"
        shutil.rmtree(fresh, ignore_errors=True)
        ivy.download(coordinates, fresh, home.resolve() / "ivy", progress)
        _swap(folder, fresh, coordinates)


def read_coordinates(defaults: Path) -> Coordinates:
    """Return group → coordinates. Raises ServerError when the file or a key is missing."""
    try:
        lines = [line.split(None, 1) for line in defaults.read_text(encoding="utf-8").splitlines()]
    except OSError as error:
        raise ServerError(f"{defaults} cannot be read ({error.strerror}): run this in the project folder") from error
    values = {line[0]: line[1] for line in lines if len(line) == 2}
    missing = [key for key in KEYS.values() if key not in values]
    if missing:
        raise ServerError(f"{defaults}: no value for {', '.join(missing)}; expected organisation:name:version[,...]")
    return {group: [part.strip() for part in values[key].split(",")] for group, key in KEYS.items()}


def _jars(group: str, home: Path, defaults: Path) -> list[Path]:
    folder, coordinates = (home / "jars").resolve(), read_coordinates(defaults)
    files = _files(folder, coordinates)
    if files is None:
        resolve_jars(print_progress, home, defaults)
        files = _files(folder, coordinates)
    if files is None:
        raise ServerError(f"the jars in {folder} changed while they were read; run the same command again")
    return files[group]


def _files(folder: Path, coordinates: Coordinates) -> dict[str, list[Path]] | None:
    """Return the jars of the manifest by group; None if of other coordinates, or a jar is missing or cut short."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    if manifest["coordinates"] != coordinates or manifest["spark"] != pyspark.__version__:
        return None
    sizes = {folder / group / name: size for group, jars in manifest["bytes"].items() for name, size in jars.items()}
    if not all(jar.is_file() and jar.stat().st_size == size for jar, size in sizes.items()):
        return None
    return {group: [folder / group / name for name in jars] for group, jars in manifest["bytes"].items()}


def _swap(folder: Path, fresh: Path, coordinates: Coordinates) -> None:
    manifest = folder / "manifest.json"
    manifest.unlink(missing_ok=True)  # while folders change places no manifest vouches for them
    sizes = {}
    for group in coordinates:
        old = folder / f"outgoing-{group}"
        shutil.rmtree(old, ignore_errors=True)
        if (folder / group).exists():
            (folder / group).rename(old)
        (fresh / group).rename(folder / group)
        shutil.rmtree(old, ignore_errors=True)
        sizes[group] = {jar.name: jar.stat().st_size for jar in sorted((folder / group).glob("*.jar"))}
    text = json.dumps({"coordinates": coordinates, "spark": pyspark.__version__, "bytes": sizes}, indent=1)
    written = folder / "manifest.json.new"
    written.write_text(text, encoding="utf-8")
    written.rename(manifest)
    shutil.rmtree(fresh, ignore_errors=True)


def print_progress(what: str, done: int, about: int) -> None:
    """One line that changes, on a terminal; else one line in ten, so that a log stays readable."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K  {what}: {done} of about {about}")
        sys.stderr.flush()
    elif done % 10 == 0:
        print(f"  {what}: {done} of about {about}", file=sys.stderr, flush=True)


def main() -> int:
    """Resolve the jars of the project in the current folder; used by the set-up."""
    try:
        resolve_jars(print_progress)
        counts = f"{len(spark_jars())} for Spark, {len(broker_jars())} for the broker"
    except LiveshelfError as error:
        print(f"\nliveshelf: {error}", file=sys.stderr)
        return 1
    print(f"\r\033[K  jars: {counts}" if sys.stderr.isatty() else f"  jars: {counts}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
