"""Prepares everything that `make demo` and `make test` need: Python packages in .venv, jars in .liveshelf.

    python3 setup_environment.py [local|dev]
    python3 setup_environment.py airflow    Airflow, in .venv-airflow: it cannot share the jobs' packages

Standard library only, and it must parse under Python 3.6: an old Python has to be able to say that it is too old. A
second call finds the stamp of the first and does nothing. Only this folder and the package caches are written.
"""

import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, TextIO

if sys.version_info < (3, 10):  # noqa: UP036  before the first function: its types alone would make an old Python fail
    sys.exit(
        f"liveshelf: Python 3.10 or newer is needed, {sys.executable} is {sys.version.split()[0]}. "
        "Debian, Ubuntu, WSL: sudo apt-get install python3 python3-venv - macOS: brew install python@3.12 - "
        "Windows: use WSL. If there is another one: make PYTHON=python3.12"
    )

ROOT = Path(__file__).resolve().parent
MANIFEST = ROOT / ".liveshelf" / "jars" / "manifest.json"
LOG = ROOT / ".liveshelf" / "logs" / "setup.log"
EXTRAS = ("local", "dev")  # each holds those before it
AIRFLOW = "airflow"
TARGETS = (*EXTRAS, AIRFLOW)
UNFINISHED = "unfinished"
LAST_LINES = 15


class Environment(NamedTuple):
    """A virtual environment: what is installed into it, and the files that its pins are in."""

    name: str
    oldest_python: tuple[int, int]
    pins: tuple[str, ...]
    packages: tuple[str, ...]  # as the installer is told

    @property
    def folder(self) -> Path:
        return ROOT / self.name

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        return self.folder / ".liveshelf"

    def said_by_stamp(self) -> str | None:
        return self.stamp.read_text(encoding="utf-8") if self.stamp.exists() else None


def environment_of(target: str) -> Environment:
    """Where `target` is installed, and what that is."""
    if target == AIRFLOW:
        names = ("requirements.txt", "requirements-dev.txt", "constraints.txt")
        _, wanted, constraints = pins = tuple(f"airflow_dags/{name}" for name in names)
        return Environment(".venv-airflow", (3, 11), pins, ("--requirement", wanted, "--constraint", constraints))
    return Environment(".venv", (3, 10), ("setup.py", "conf/spark-defaults.conf"), ("--editable", f".[{target}]"))


class SetupError(Exception):
    """The set-up cannot go on; the text says what to do."""


def main(arguments: list[str]) -> int:
    """Prepare for the target named in `arguments`; return the exit code."""
    target = arguments[0] if arguments else "local"
    if target not in TARGETS:
        print(f"usage: setup_environment.py [{'|'.join(TARGETS)}]", file=sys.stderr)
        return 2
    if is_ready(target):
        print("environment ready")
        return 0
    try:
        check_java()
        prepare(target)
    except SetupError as error:
        print(f"liveshelf: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nliveshelf: set-up interrupted; the next call starts it anew", file=sys.stderr)
        return 130
    print("environment ready")
    return 0


def is_ready(target: str) -> bool:
    """Whether a set-up for `target`, or for more, was finished and nothing it depends on has changed since."""
    environment = environment_of(target)
    enough = (AIRFLOW,) if target == AIRFLOW else EXTRAS[EXTRAS.index(target) :]
    has_jars = target == AIRFLOW or MANIFEST.exists()
    return environment.python.exists() and has_jars and environment.said_by_stamp() in {key(more) for more in enough}


def key(target: str) -> str:
    """Tell one set-up from another: what is installed, by which Python, and where."""
    parts = [target, sys.version, str(ROOT)]  # a venv cannot be moved
    parts += [(ROOT / name).read_text(encoding="utf-8") for name in environment_of(target).pins]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def check_java() -> None:
    """Raise SetupError when Java is missing or too old."""
    from pipelines.errors import ServerError
    from pipelines.local.java import java_executable

    try:
        java_executable()
    except ServerError as error:
        raise SetupError(str(error)) from error


def prepare(target: str) -> None:
    """Make the virtual environment, fill it, resolve the jars of Spark, stamp."""
    started = time.monotonic()
    environment, uv = environment_of(target), shutil.which("uv")
    if sys.version_info < environment.oldest_python:
        oldest = ".".join(map(str, environment.oldest_python))
        raise SetupError(
            f"{target} needs Python {oldest}, this is {sys.version.split()[0]}; try: make PYTHON=python{oldest}"
        )
    make_venv(uv, environment)
    environment.stamp.write_text(UNFINISHED, encoding="utf-8")
    install(uv, environment)
    if target != AIRFLOW:
        resolve_jars(environment)
        make_class_archive(environment)
    written = environment.stamp.with_suffix(".new")
    written.write_text(key(target), encoding="utf-8")
    written.replace(environment.stamp)
    print(f"  set up in {time.monotonic() - started:.0f} s")


def resolve_jars(environment: Environment) -> None:
    """Put the jars for Spark and the broker on the disk. Raises SetupError."""
    print("  jars for Spark and the broker", flush=True)
    if subprocess.run([str(environment.python), "-m", "pipelines.local.jars"], cwd=ROOT, check=False).returncode != 0:
        raise SetupError("set-up stopped at the jars; what is installed so far is kept")


def make_class_archive(environment: Environment) -> None:
    """Let Spark start faster from now on. Where that cannot be had, it says so and the set-up goes on."""
    print("  class archive for Spark (half a minute)", flush=True)
    subprocess.run([str(environment.python), "-m", "pipelines.local.class_archive"], cwd=ROOT, check=False)


def make_venv(uv: str | None, environment: Environment) -> None:
    """Keep one of this Python; replace one of another Python, or one that a killed set-up left half filled."""
    is_whole = environment.said_by_stamp() != UNFINISHED and _venv_version(environment.python) == sys.version
    if is_whole and (uv or _has_pip(environment.python)):
        return
    folder = str(environment.folder)
    print(f"  {environment.name} with Python {sys.version.split()[0]}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    command = [uv, "venv", "--python", sys.executable, folder] if uv else [sys.executable, "-m", "venv", folder]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        output = (made.stdout + made.stderr).strip()
        hint = (
            "sudo apt-get install python3-venv. " if "ensurepip" in output or "No module named venv" in output else ""
        )
        raise SetupError(f"{environment.name} cannot be made. {hint}It said:\n{_indented(output)}")


def install(uv: str | None, environment: Environment) -> None:
    """Install the environment's packages."""
    if uv:
        command = [uv, "pip", "install", "--python", str(environment.python)]
    else:
        command = [str(environment.python), "-m", "pip", "install", "--progress-bar", "off"]
        command += ["--disable-pip-version-check", "--no-input"]
    print("  Python packages (a few minutes the first time)", flush=True)
    if _run_with_progress([*command, *environment.packages]) != 0:
        raise SetupError(f"the Python packages cannot be installed: {_why()}\n  All of it: {LOG}. It ends:\n{_tail()}")


def _run_with_progress(command: list[str]) -> int:
    LOG.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        command, cwd=str(ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    )
    try:
        with LOG.open("w", encoding="utf-8") as log:
            _read_installer(process.stdout or (), log)
        return process.wait()
    finally:
        process.kill()  # after Ctrl-C; does nothing to one that has ended
        clear()


def _read_installer(lines: Iterable[str], log: TextIO) -> None:
    names = set()
    for line in lines:
        log.write(line)
        names.update(re.findall(r"^(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line))
        show(line.strip(), len(names))


def show(line: str, n_names: int) -> None:
    """Tell what one line of the installer means; most mean nothing to a reader."""
    download = re.match(r"Downloading (?:\S*/)?(\S+) \((.+ [MG]B)\)", line)
    building = re.match(r"Building (?:wheel|editable) for (\S+) .*started", line)
    if download:
        say(f"{n_names} packages looked up, downloading {download.group(1)}, {download.group(2)}")
    elif line.startswith(("Collecting", "Requirement already")):
        say(f"{n_names} packages looked up", every_line=False)
    elif building:
        say(f"building {building.group(1)}")
    elif line.startswith("Installing collected packages"):
        say(f"installing {line.count(',') + 1} packages, about a minute")
    elif (
        re.match(r"(Resolved|Prepared|Installed|Downloading|Built|Building) ", line)
        and "kB)" not in line
        and " for " not in line
    ):  # uv
        say(line)


def say(text: str, every_line: bool = True) -> None:
    """One line that changes, on a terminal; else a line each, without those that only count."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\033[K    {text[: shutil.get_terminal_size().columns - 6]}")
        sys.stdout.flush()
    elif every_line:
        print(f"    {text}", flush=True)


def clear() -> None:
    """Give the line of the progress back."""
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K")
        sys.stdout.flush()


def _why() -> str:
    text = LOG.read_text(encoding="utf-8")
    if re.search(
        r"NameResolution|ConnectionError|NewConnectionError|ConnectTimeout|dns error|error sending request", text
    ):
        return "the package index cannot be reached. Check the network or the proxy, then call again."
    if "No space left" in text:
        return "the disk is full. About 2 GB are needed; make room, then call again."
    if re.search(r"No matching distribution|no version of|No solution found", text):
        return (
            f"a pinned version does not exist for Python {sys.version.split()[0]}; try another: make PYTHON=python3.12."
        )
    return "the installer failed."


def _tail() -> str:
    return _indented("\n".join(LOG.read_text(encoding="utf-8").splitlines()[-LAST_LINES:]))


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())


def _venv_version(python: Path) -> str | None:
    command = [str(python), "-c", "import sys; print(sys.version, end='')"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def _has_pip(python: Path) -> bool:
    return subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
