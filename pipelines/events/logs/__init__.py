"""Adapters from lines of real logs to Kafka records; one file a format.

No line is dropped and none is repaired: what cannot be read is sent as it is, and ends in quarantine.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.errors import InputError
from pipelines.events.logs.jsonl import read_jsonl
from pipelines.events.logs.online_retail import HEADER as ONLINE_RETAIL_HEADER
from pipelines.events.logs.online_retail import read_online_retail
from pipelines.events.logs.record import KafkaRecord, UnreadableLineError, unread
from pipelines.events.logs.rees46 import HEADER as REES46_HEADER
from pipelines.events.logs.rees46 import read_rees46

__all__ = ["FORMATS", "KafkaRecord", "LogFormat", "log_format", "read_line"]


@dataclass(frozen=True)
class LogFormat:
    """How the lines of one kind of log are read. `read` raises UnreadableLineError."""

    name: str
    header: bytes | None  # the first line of every file; None: there is none
    read: Callable[[bytes], KafkaRecord]


FORMATS = {
    log.name: log
    for log in (
        LogFormat("jsonl", None, read_jsonl),
        LogFormat("rees46", REES46_HEADER, read_rees46),
        LogFormat("online-retail", ONLINE_RETAIL_HEADER, read_online_retail),
    )
}


def log_format(name: str) -> LogFormat:
    """Find a format by name. Raises InputError, with the nearest known name, when there is none."""
    if name in FORMATS:
        return FORMATS[name]
    near = difflib.get_close_matches(name, FORMATS, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    raise InputError(f"unknown log format '{name}'{hint} Known: {', '.join(FORMATS)}")


def read_line(line: bytes, log: LogFormat) -> KafkaRecord:
    """Make the record of a line without its line feed. An unreadable line is kept byte for byte, marked as broken."""
    # "\r" belongs to the line end of a CSV file, but to the bytes of an event that is sent byte for byte.
    text = line.removesuffix(b"\r") if log.header else line
    try:
        return log.read(text)
    except UnreadableLineError:
        return unread(line)
