"""docs/logs.md: its tables of events, made from pipelines/logs/events.py; the rest of the page is written by hand.

python -m tests.docs.logs        writes them anew
"""

from pathlib import Path

from pipelines.logs.events import BOUND, EVENTS, OF_ERRORS, OF_EVERY_LINE, Event

PAGE = Path(__file__).parents[2] / "docs/logs.md"
BEGIN, END = "<!-- made by tests.docs.logs -->\n", "<!-- end -->\n"


def tables() -> str:
    """The generated part."""
    keys = {"In every line": OF_EVERY_LINE, "Where they are known": BOUND, "Of an error": OF_ERRORS}
    parts = [_keys(title, of) for title, of in keys.items()]
    return "\n".join([*parts, *(_events(title, events) for title, events in EVENTS.items())])


def page() -> str:
    """The whole page, with the tables as they should be."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.partition(END)[2]}"


def _keys(title: str, keys: dict[str, str]) -> str:
    rows = [f"| `{key}` | {about} |" for key, about in keys.items()]
    return "\n".join([f"### {title}", "", "| key | meaning |", "|---|---|", *rows, ""])


def _events(title: str, events: dict[str, Event]) -> str:
    rows = [f"| `{name}` | {event.level} | {_list(event.keys)} | {event.about} |" for name, event in events.items()]
    return "\n".join([f"### {title}", "", "| event | level | keys | meaning |", "|---|---|---|---|", *rows, ""])


def _list(keys: tuple[str, ...]) -> str:
    return ", ".join(f"`{key}`" for key in keys)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
