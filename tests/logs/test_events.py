"""Every event that the code logs is in pipelines/logs/events.py, with its level and keys, and what is there is logged."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from pipelines.logs.events import BOUND, EVENTS, Event

PROJECT = Path(__file__).parents[2]
LEVELS = ("debug", "info", "warning", "error", "critical")
FILES = sorted(path for folder in ("jobs", "pipelines") for path in (PROJECT / folder).rglob("*.py"))
KNOWN: dict[str, Event] = {name: event for events in EVENTS.values() for name, event in events.items()}
# What is logged there is named elsewhere: by who makes a Trouble or a Tallied, or it passes on what it was given.
PASS_ON = {"pipelines/logs/trouble.py"}


def calls_in(text: str) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def words(nodes: list[ast.expr]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def keys_of(call: ast.Call) -> set[str]:
    return {keyword.arg for keyword in call.keywords if keyword.arg} - {"stream", "batch_id"}


def problems_in(text: str) -> list[str]:
    """What of the logging in this code is not as the table says."""
    found, of_troubles = [], set()
    calls = calls_in(text)
    for call in calls:
        name = name_of(call.func)
        if name in ("Trouble", "Tallied"):
            events = words(call.args)[: 2 if name == "Trouble" else 1]
            found += [f"{event} is no event" for event in events if event not in KNOWN]
            of_troubles |= {key for event in events if event in KNOWN for key in KNOWN[event].keys}
            if name == "Tallied":
                found += [f"{events[0]} has no key {key}" for key in words(call.args)[1:] if key not in of_troubles]
    for call in calls:
        name = name_of(call.func)
        if name in ("failed", "over"):
            found += [
                f"no trouble here has the key {key}" for key in keys_of(call) - of_troubles - {"error"} if of_troubles
            ]
        elif name == "tell_batch":
            found += [f"batch_done has no key {key}" for key in keys_of(call) - set(KNOWN["batch_done"].keys)]
        elif isinstance(call.func, ast.Attribute) and name_of(call.func.value) == "log" and name in (*LEVELS, "log"):
            found += problems_of(call, name)
    return found


def problems_of(call: ast.Call, level: str) -> list[str]:
    named = words(call.args)
    if len(named) != 1 or named[0] not in KNOWN:
        return [f"line {call.lineno}: {named or 'a name that is no literal'} is no event"]
    event = KNOWN[named[0]]
    wrong = [f"{named[0]} has no key {key}" for key in keys_of(call) - set(event.keys)]
    return wrong if level == "log" or level in event.level.split(", ") else [*wrong, f"{named[0]} is no {level}"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_what_is_logged_is_in_the_table(path):
    if str(path.relative_to(PROJECT)) not in PASS_ON:
        assert problems_in(path.read_text(encoding="utf-8")) == []


def test_what_is_in_the_table_is_logged():
    said = defaultdict(int)
    for path in FILES:
        if path.name != "events.py" or path.parent.name != "logs":
            for call in calls_in(path.read_text(encoding="utf-8")):
                for word in words(call.args):
                    said[word] += 1

    assert [name for name in KNOWN if not said[name]] == []


@pytest.mark.parametrize(
    "code",
    [
        'log.info("no_such_event")',
        'log.info(f"batch {n} done")',
        'log.warning("batch_done", rows=1)',
        'log.info("batch_done", rows=1, user_id="u")',
        'Trouble("kafka_gone", "kafka_back")',
        'Trouble("kafka_away", "kafka_back").failed(error, user="u")',
        'Tallied("requests_refused", "by_user")',
        "tell_batch(rows=1, users_seen=[])",
    ],
)
def test_what_is_not_in_the_table_is_found(code):
    assert problems_in(code)


def test_no_logger_of_the_standard_library_is_used():
    """Its lines would have no name and no keys. What others log goes through it; that is set up in the room `logs`."""
    may = {"pipelines/sources/rabbitmq.py", "pipelines/tracking/connection.py"}  # they silence a library
    using = {
        str(path.relative_to(PROJECT))
        for path in FILES
        for call in calls_in(path.read_text(encoding="utf-8"))
        if name_of(call.func) == "getLogger" and path.parent.name != "logs"
    }

    assert using == may


def test_no_key_is_one_that_would_name_a_person():
    keys = {key for event in KNOWN.values() for key in event.keys} | set(BOUND)

    assert not keys & {"user", "user_id", "visitor", "anonymous_id", "ip", "record", "key", "url", "items_seen"}
