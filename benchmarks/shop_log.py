"""The interactions of a simulated shop, as the log that other benchmarks read from files."""

from collections.abc import Iterator
from typing import Any

import orjson
import pandas as pd
from rich.progress import track

from benchmarks.event_log import CONTEXT_FIELDS, FIELDS, EventLog, to_log
from pipelines.local.shop import Shop, ShopConfig
from pipelines.schemas import INTERACTION_CODES


def shop_log(config: ShopConfig) -> EventLog:
    """Good events of types that a profile takes, once each."""
    return to_log(pd.DataFrame(_rows(config), columns=list(FIELDS)))


def _rows(config: ShopConfig) -> Iterator[tuple[Any, ...]]:
    records = track(Shop(config).records(), f"a shop of {config.n_items:,} items", config.n_events, transient=True)
    for sent in records:
        code = INTERACTION_CODES.get(sent.event_type)
        if sent.kind != "good" or code is None:
            continue
        event = orjson.loads(sent.record.value)
        context = [event["context"].get(name) for name in CONTEXT_FIELDS]
        time_s = int(sent.record.event_time_ms or 0) // 1000
        told = event["event_id"], event.get("category"), event.get("brand")
        yield (sent.user, event["item_id"], time_s, code, *told, *context)
