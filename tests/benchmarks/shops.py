"""Tiny shops as logs."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.event_log import FIELDS, EventLog, to_log
from pipelines.schemas import INTERACTION_CODES

CUT_S = 1_320_105_600  # 2011-11-01
DAY_S = 86_400


def a_log(*rows: tuple[str, str, float]) -> EventLog:
    """Purchases (user, item, days after the cut)."""
    named = [
        (user, item, CUT_S + int(days * DAY_S), INTERACTION_CODES["purchase"], f"e{number}", None, None, None, "UK")
        for number, (user, item, days) in enumerate(rows)
    ]
    return to_log(pd.DataFrame(named, columns=list(FIELDS)))


def a_shop_of_habits(n_users: int = 12, n_items: int = 30, n_days: int = 40, seed: int = 1) -> EventLog:
    """Each user buys the same three items again and again, and now and then another."""
    rng = np.random.default_rng(seed)
    own = {user: rng.choice(n_items, 3, replace=False) for user in range(n_users)}
    rows = []
    for day in range(-n_days, 14, 2):
        for user in range(n_users):
            item = rng.choice(own[user]) if rng.random() < 0.9 else rng.integers(n_items)
            rows.append((f"u{user}", f"i{item}", day + user / 24))
    return a_log(*rows)


def write_retail_day(folder: Path, day: str, *lines: str) -> None:
    """A day file of UCI's Online Retail."""
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    (folder / f"{day}.csv.gz").write_bytes(gzip.compress("\n".join([header, *lines, ""]).encode()))
