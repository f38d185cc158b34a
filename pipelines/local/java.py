"""Which Java runs Spark, the embedded broker and the jar resolution, and whether it is new enough.

Standard library only: `setup_environment.py` asks this before anything is installed.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from pipelines.errors import ServerError

OLDEST_JAVA = 17
HOW_TO_INSTALL = (
    "Debian, Ubuntu, WSL: sudo apt-get install openjdk-17-jre-headless · macOS: brew install openjdk@17 · "
    "Windows: use WSL. If it is installed already, set JAVA_HOME"
)


def java_executable() -> Path:
    """Return the Java of JAVA_HOME, else of PATH, as Spark chooses it.

    Raises ServerError, with what to install, when there is none or it is older than 17.
    """
    java = _find_java()
    came = _version_text(java)
    version = parse_java_version(came)
    if version is None:
        raise ServerError(
            f"{java} does not run ({came.strip()[:200] or 'no output'}). Install Java {OLDEST_JAVA}. {HOW_TO_INSTALL}."
        )
    if version < OLDEST_JAVA:
        raise ServerError(f"Java {OLDEST_JAVA} or newer is needed, {java} is Java {version}. {HOW_TO_INSTALL}.")
    return java


def parse_java_version(text: str) -> int | None:
    """Return the major version that `java -version` told: 17 of "17.0.15", 8 of "1.8.0_402"; None when it told none."""
    match = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(match.group(1)) if match else None


def _find_java() -> Path:
    home = os.environ.get("JAVA_HOME")
    if home:
        java = Path(home) / "bin" / "java"
        if java.is_file():
            return java
        raise ServerError(
            f"JAVA_HOME is {home}, but there is no bin/java in it. Correct or unset it. {HOW_TO_INSTALL}."
        )
    found = shutil.which("java")
    if found is None:
        raise ServerError(f"Java is missing: version {OLDEST_JAVA} or newer is needed. {HOW_TO_INSTALL}.")
    return Path(found)


def _version_text(java: Path) -> str:
    try:
        run = subprocess.run([str(java), "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return run.stderr + run.stdout
