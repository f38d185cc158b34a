"""How the reconciliation is shown: to people, to machines, and as an exit code."""

import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from pipelines.errors import DataLossError
from pipelines.events.reconcile import Account, Reconciliation
from pipelines.stores.outcomes import Told

_MEANING = {
    "n_valid": "in `events`",
    "n_quarantined": "in `quarantine`",
    "n_duplicates": "the same event or the same broken bytes, kept once",
    "n_lost": "in neither table",
    "n_twice": "rows of an event_id or a record that is filed more than once",
    "n_unknown": "rows of no record in the topic",
}


def print_account(result: Reconciliation) -> None:
    """Print the table, the equation and the examples."""
    table = Table("", "records", "meaning", title="Reconciliation")
    for key, n in asdict(result.account).items():
        table.add_row(key.removeprefix("n_"), f"{n:,}", _MEANING[key], style="red" if n and key in _WRONG else None)
    console = Console()
    console.print(table)
    console.print(equation(result.account), highlight=False)


def equation(account: Account) -> str:
    """Say in numbers what must hold."""
    parts = f"{account.n_valid:,} valid + {account.n_quarantined:,} quarantined + {account.n_duplicates:,} duplicates"
    lost = f" + {account.n_lost:,} LOST" if account.n_lost else ""
    return f"{account.n_produced:,} produced = {parts}{lost}"


def as_json(result: Reconciliation) -> str:
    """Return one JSON object: the counts, `is_exact` and the examples."""
    account = result.account
    figures = {"n_produced": account.n_produced, **asdict(account), "is_exact": account.is_exact}
    return json.dumps({**figures, "examples": [example.asDict() for example in result.examples]})


def told(account: Account) -> Told:
    """What the outcome of the run has: the topic's records, by their fate too, and rows that should not be there."""
    records = {name.removeprefix("n_"): n for name, n in asdict(account).items()}
    rows = {name: records.pop(name) for name in ("twice", "unknown")}
    return {"produced": {"topic": account.n_produced}, "records": records, "wrong_rows": rows}


def raise_if_inexact(result: Reconciliation) -> None:
    """Raise DataLossError with examples when a record is lost, or a row is there that should not be."""
    account = result.account
    if account.is_exact:
        return
    counts = f"{account.n_lost:,} lost, {account.n_twice:,} rows twice, {account.n_unknown:,} rows of no record"
    places = [f"  {e.fault}: {e.topic}/{e.partition}@{e.offset} id {e.id}" for e in result.examples]
    raise DataLossError("\n".join([f"the tables do not account for the topic: {counts}. For example", *places]))


_WRONG = ("n_lost", "n_twice", "n_unknown")
