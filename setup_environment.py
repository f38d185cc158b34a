"""Prepares everything that `make demo` and `make test` need: Python packages in .venv, jars in .liveshelf.

    python3 setup_environment.py [local|dev]

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
from typing import TextIO

if sys.version_info < (3, 10):  # noqa: UP036  before the first function: its types alone would make an old Python fail
    sys.exit(
        f"liveshelf: Python 3.10 or newer is needed, {sys.executable} is {sys.version.split()[0]}. "
        "Debian, Ubuntu, WSL: sudo apt-get install python3 python3-venv - macOS: brew install python@3.12 - "
        "Windows: use WSL. If there is another one: make PYTHON=python3.12"
    )

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".liveshelf"
MANIFEST = ROOT / ".liveshelf" / "jars" / "manifest.json"
LOG = ROOT / ".liveshelf" / "logs" / "setup.log"
EXTRAS = ("local", "dev")  # each holds those before it
UNFINISHED = "unfinished"
LAST_LINES = 15


class SetupError(Exception):
    """The set-up cannot go on; the text says what to do."""


def main(arguments: list[str]) -> int:
    """Prepare for the extra named in `arguments`; return the exit code."""
    extra = arguments[0] if arguments else "local"
    if extra not in EXTRAS:
        print(f"usage: setup_environment.py [{'|'.join(EXTRAS)}]", file=sys.stderr)
        return 2
    if is_ready(extra):
        print("environment ready")
        return 0
    try:
        check_java()
        prepare(extra)
    except SetupError as error:
        print(f"liveshelf: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nliveshelf: set-up interrupted; the next call starts it anew", file=sys.stderr)
        return 130
    print("environment ready")
    return 0


def is_ready(extra: str) -> bool:
    """Whether a set-up for `extra`, or for more, was finished and nothing it depends on has changed since."""
    return (
        VENV_PYTHON.exists() and MANIFEST.exists() and _stamp() in {key(more) for more in EXTRAS[EXTRAS.index(extra) :]}
    )


def key(extra: str) -> str:
    """Tell one set-up from another: what is installed, by which Python, and where."""
    parts = [extra, sys.version, str(ROOT)]  # a venv cannot be moved
    parts += [(ROOT / name).read_text(encoding="utf-8") for name in ("setup.py", "conf/spark-defaults.conf")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def check_java() -> None:
    """Raise SetupError when Java is missing or too old."""
    from pipelines.errors import ServerError
    from pipelines.local.java import java_executable

    try:
        java_executable()
    except ServerError as error:
        raise SetupError(str(error)) from error


def prepare(extra: str) -> None:
    """Make .venv, fill it, resolve the jars, stamp."""
    started = time.monotonic()
    uv = shutil.which("uv")
    make_venv(uv)
    STAMP.write_text(UNFINISHED, encoding="utf-8")
    install(uv, extra)
    print("  jars for Spark and the broker", flush=True)
    if subprocess.run([str(VENV_PYTHON), "-m", "pipelines.local.jars"], cwd=ROOT, check=False).returncode != 0:
        raise SetupError("set-up stopped at the jars; what is installed so far is kept")
    written = STAMP.with_suffix(".new")
    written.write_text(key(extra), encoding="utf-8")
    written.replace(STAMP)
    print(f"  set up in {time.monotonic() - started:.0f} s")


def make_venv(uv: str | None) -> None:
    """Keep a .venv of this Python; replace one of another Python, or one that a killed set-up left half filled."""
    if _stamp() != UNFINISHED and _venv_version() == sys.version and (uv or _has_pip()):
        return
    print(f"  .venv with Python {sys.version.split()[0]}", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    command = [uv, "venv", "--python", sys.executable, str(VENV)] if uv else [sys.executable, "-m", "venv", str(VENV)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        output = (made.stdout + made.stderr).strip()
        hint = (
            "sudo apt-get install python3-venv. " if "ensurepip" in output or "No module named venv" in output else ""
        )
        raise SetupError(f".venv cannot be made. {hint}It said:\n{_indented(output)}")


def install(uv: str | None, extra: str) -> None:
    """Install the project, editable, with `extra`."""
    target = f".[{extra}]"
    if uv:
        command = [uv, "pip", "install", "--python", str(VENV_PYTHON), "--editable", target]
    else:
        command = [str(VENV_PYTHON), "-m", "pip", "install", "--progress-bar", "off", "--disable-pip-version-check"]
        command += ["--no-input", "--editable", target]
    print("  Python packages (a few minutes the first time)", flush=True)
    if _run_with_progress(command) != 0:
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


def _stamp() -> str | None:
    return STAMP.read_text(encoding="utf-8") if STAMP.exists() else None


def _venv_version() -> str | None:
    command = [str(VENV_PYTHON), "-c", "import sys; print(sys.version, end='')"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def _has_pip() -> bool:
    return (
        subprocess.run([str(VENV_PYTHON), "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
