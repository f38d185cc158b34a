"""What a log line may say of an error: its kind, where in our code it came from, and its text where that names nobody.

The text of an exception may hold anything: a user's id in a key of Redis, a whole record in an error of Spark. So it is the other
way round: what is written is what is known to hold addresses, paths and numbers alone.
"""

import re
from pathlib import Path
from types import TracebackType
from typing import Any

MAX_CHARACTERS = 300
MAX_FRAMES = 5
_ROOT = Path(__file__).parents[2]
# The class or one of those it descends from: all texts of these were looked at, and those of a new one are to be.
_SAYS_NO_VALUES = {
    "pipelines.errors.ConfigError",
    "pipelines.errors.SchemaError",
    "pipelines.errors.ServerError",
    "pipelines.errors.StateError",
    "pipelines.errors.FeaturesVersionError",
    "pipelines.errors.ModelVersionError",
    "pipelines.errors.RuleError",
    "pipelines.sinks.deliveries.NotTakenError",
    "kafka.errors.KafkaError",
    "redis.exceptions.ConnectionError",
    "redis.exceptions.TimeoutError",
}
_PASSWORD = re.compile(r"(?<=://)[^/@\s'\"]+@")
_SECRET = re.compile(r"(?i)\b(password|passwd|secret|token|key)=[^&\s'\",;]+")
# In the text of Spark's error about a task that failed in Python: the last line of its traceback.
_OF_PYTHON = re.compile(
    r"^(?:pyspark\.errors\.[\w.]+: )?(?:[a-zA-Z_]\w*\.)*([A-Z]\w*(?:Error|Exception|Exit|Interrupt))\b", re.M
)


def masked(text: str) -> str:
    """`text` without passwords: those in URLs, and in parts like `password=…`."""
    return _SECRET.sub(r"\1=***", _PASSWORD.sub("***@", text)) if "://" in text or "=" in text else text


def short(text: str) -> str:
    """The first line, masked, and no longer than a log line bears."""
    line = masked(next((line.strip() for line in text.splitlines() if line.strip()), ""))
    return line if len(line) <= MAX_CHARACTERS else f"{line[:MAX_CHARACTERS]}…"


def told(error: BaseException) -> dict[str, Any]:
    """The keys of a log line about `error`: `error`, and where they are known `because`, `cause`, `where`."""
    because, cause = _because(error), _cause(error)
    return {
        "error": type(error).__name__,
        **({"because": because} if because else {}),
        **({"cause": cause} if cause else {}),
        **({"where": where} if (where := _where(error.__traceback__)) else {}),
    }


def _because(error: BaseException) -> str | None:
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if kinds & _SAYS_NO_VALUES:
        return short(str(error)) or None
    if isinstance(error, OSError):
        return error.strerror
    condition = getattr(error, "getCondition", None)  # of Spark: a name out of a list
    said = condition() if callable(condition) else None
    return said if isinstance(said, str) else None


def _cause(error: BaseException) -> str | None:
    """The kind of the error behind this one: Python's own chain, or what Spark says happened in a task."""
    if error.__cause__ is not None:
        return type(error.__cause__).__name__
    if type(error).__module__.partition(".")[0] in ("pyspark", "py4j"):
        names = [name for name in _OF_PYTHON.findall(str(error)) if name != type(error).__name__]
        return names[-1] if names else None
    return None


def _where(traceback: TracebackType | None) -> str | None:
    """Our own lines that it went through, innermost first."""
    frames: list[str] = []
    while traceback is not None:
        path = Path(traceback.tb_frame.f_code.co_filename)
        if path.is_relative_to(_ROOT) and "site-packages" not in path.parts:
            frames.append(f"{path.relative_to(_ROOT)}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return " < ".join(reversed(frames[-MAX_FRAMES:])) or None
