"""A small filled lake and Redis, made without Spark: the simulated shop's events as they would be filed and learned."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from deltalake import Schema, write_deltalake

from pipelines.catalogue.arrays import text_hash
from pipelines.config import load_config
from pipelines.events.suite import load_suite, ruleset_id
from pipelines.features.definitions import load_definitions
from pipelines.features.tables import table_path, table_schema
from pipelines.hot_path.worker import StageSettings
from pipelines.local.shop import Shop, ShopConfig
from pipelines.schemas import INTERACTION_CODES, QUARANTINE, TABLES, Contract
from tests.hot_path.micro_batches import FakeBatch, a_learner, run, some_rows

PROJECT = Path(__file__).parents[2]
DAYS = 3
SHOP = ShopConfig(n_users=150, n_items=80, n_categories=6, n_events=6_000, events_per_second=6_000 / (DAYS * 86_400))
WEIGHTS = {"product_view": 1.0, "click": 1.5, "add_to_cart": 4.0, "purchase": 8.0}
MONTH_S, DAY_S = 30 * 86_400.0, 86_400.0


@dataclass(frozen=True)
class Filled:
    """Where it is."""

    root: Path
    config: Path


def fill(root: Path, redis_url: str | None = None) -> Filled:
    """Events of the last days, with what was broken among them, and their features; in Redis profiles, lists and a model."""
    path = root / "config.yaml"
    lake = root / "lake"
    path.write_text(
        yaml.safe_dump(
            {"lake_root": str(lake), "redis": {"url": redis_url}, "tracking": {"root": str(root / "mlflow")}}
        )
    )
    begin = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    events, broken = _told(begin)
    _write(lake / "events", events, Contract().events, "event_date")
    _write(lake / "quarantine", broken, QUARANTINE, "ingest_date")
    _write_features(lake, events)
    _write(lake / "evaluations", list(_evaluations(begin)), TABLES["evaluations"])
    _write(lake / "drift", list(_drift(begin)), TABLES["drift"])
    if redis_url:
        _personalize(redis_url, path, events)
    return Filled(root, path)


def _told(begin: datetime) -> tuple[list[dict], list[dict]]:
    rules = {rule.name for rule in load_suite(PROJECT / "conf/expectations/clickstream.json")}
    ruleset = ruleset_id(load_suite(PROJECT / "conf/expectations/clickstream.json"))
    events: dict[str, dict] = {}
    broken = []
    config = ShopConfig(**{**vars(SHOP), "start_ms": round(begin.timestamp() * 1000)})
    for offset, sent in enumerate(Shop(config).records()):
        at = {
            "topic": "clickstream", "partition": offset % 2, "offset": offset // 2, "ruleset": ruleset,
            "ingest_time": begin + timedelta(milliseconds=sent.send_at_ms),
        }  # fmt: skip
        if sent.broken_as:
            names = sorted(sent.broken_as.rules & rules)
            about = {"record_id": f"r{offset}", "rules": names, "ingest_date": at["ingest_time"].date()}
            broken.append(at | about | {"key": sent.record.key, "value": sent.record.value})
        elif sent.kind == "good":
            event = _event(json.loads(sent.record.value), at)
            events[event["event_id"]] = event | at
    return list(events.values()), broken


def _event(told: dict, at: dict) -> dict:
    known = set(Contract().json.names)
    event_ms = told["event_time"] if isinstance(told["event_time"], int) else None
    time = (
        datetime.fromtimestamp(event_ms / 1000, timezone.utc)
        if event_ms
        else datetime.fromisoformat(told["event_time"].replace("Z", "+00:00"))
    )
    late_s = max((at["ingest_time"] - time).total_seconds(), 0.0)
    return {
        **{name: told.get(name) for name in known - {"event_time"}},
        "event_time": time, "event_date": time.date(), "user": told.get("user_id") or told.get("anonymous_id"),
        "extra": {name: json.dumps(value) for name, value in told.items() if name not in known},
        "lateness_seconds": late_s, "warnings": ["event_not_late"] if late_s > 3600 else [], "value_bytes": 300,
    }  # fmt: skip


def _write(path: Path, rows: list[dict], schema, day_column: str | None = None) -> None:
    arrow = pa.schema(Schema.from_json(schema.json()).to_arrow())
    table = pa.Table.from_pylist([dict.fromkeys(schema.names) | row for row in rows], arrow)
    write_deltalake(str(path), table, partition_by=day_column)


def _write_features(lake: Path, events: list[dict]) -> None:
    """The features that the notebooks ask for, by their formulas; the others stay null."""
    definitions = load_definitions(PROJECT / "conf/features.yaml")
    told = pd.DataFrame([e for e in events if e["event_type"] in WEIGHTS])
    told["category"] = [json.loads(extra.get("category", "null")) for extra in told["extra"]]
    told["weight"] = told["event_type"].map(WEIGHTS)
    for entity, keys in (("item", ["item_id"]), ("user_category", ["user", "category"])):
        rows = [dict(zip(keys, key, strict=True)) | _features(entity, of) for key, of in told.groupby(keys)]
        _write(lake / table_path(definitions, entity), rows, table_schema(definitions, entity))


def _features(entity: str, of: pd.DataFrame) -> dict:
    as_of = of["event_time"].max().floor("s")
    age_s = (as_of - of["event_time"]).dt.total_seconds()
    day = float((of["weight"] * 2 ** (-age_s / DAY_S)).sum())
    if entity != "item":
        return {"as_of": as_of.to_pydatetime(), "category_interest_day": day}
    hits, looks = (
        float((2 ** (-age_s[of["event_type"].isin(types)] / MONTH_S)).sum())
        for types in (["purchase"], ["product_view", "click"])
    )
    rate = (hits + 0.02 * 100) / (looks + 100)
    return {"as_of": as_of.to_pydatetime(), "item_popularity_day": day, "item_conversion_month": rate}


def _evaluations(begin: datetime) -> Iterator[dict]:
    """A champion that is well above popularity, and gets better; one challenger that was refused."""
    values = {"model": 0.21, "popularity": 0.12, "own_history": 0.16}
    for day in range(DAYS):
        at = {"as_of": begin + timedelta(days=day + 1), "since": begin + timedelta(days=day), "version": 3}
        of = at | {"n": 900, "n_users": 120, "k": 10, "evaluation_id": f"e{day}"}
        for ranking, value in values.items():
            for segment, factor in {"all": 1.0, "new_users": 0.7, "heavy_users": 1.2, "device:mobile": 0.95}.items():
                for metric in ("ndcg", "recall", "hit_rate"):
                    mean = (value + 0.01 * day) * factor
                    about = {"kind": "holdout", "role": "champion", "ranking": ranking, "segment": segment}
                    yield of | about | {"metric": metric, "value": mean, "low": mean - 0.02, "high": mean + 0.02}
        for source, rate in {"personal": 0.06, "global": 0.02}.items():
            about = {"kind": "served", "ranking": source, "segment": "all", "metric": "click_through"}
            yield of | about | {"value": rate + 0.004 * day, "low": rate, "high": rate + 0.01}
    note = "keep: ndcg is not better beyond its interval"
    gate = {"kind": "gate", "role": "challenger", "ranking": "challenger_above_champion", "segment": "all"}
    yield of | gate | {"version": 4, "metric": "ndcg", "value": 0.002, "low": -0.01, "high": 0.014, "note": note}


def _drift(begin: datetime) -> Iterator[dict]:
    """Runs of every six hours; in the last one the mix of devices has changed."""
    n_runs = DAYS * 4
    for number in range(n_runs):
        at = begin + timedelta(hours=6 * (number + 1))
        is_last = number == n_runs - 1
        about = {
            "drift_id": f"d{number}", "as_of": at, "window_start": at - timedelta(hours=6), "is_drifting": is_last,
            "reference_start": at - timedelta(days=7), "threshold": 0.2, "n_current": 1_000, "n_reference": 20_000,
        }  # fmt: skip
        devices = {"bins": ["desktop", "mobile", "tablet"], "reference": [9_000.0, 8_000.0, 3_000.0]}
        current = [200.0, 750.0, 50.0] if is_last else [440.0, 405.0, 155.0]
        yield about | devices | {
            "name": "events.context.device_type", "kind": "category", "current": current, "values": [], "counts": [],
            "figure": 0.44 if is_last else 0.02, "verdict": "drift" if is_last else "stable",
            "change": "mobile 40 % → 75 %" if is_last else "",
        }  # fmt: skip
        prices = {"bins": ["below 10", "10 to 50", "50 or more"], "reference": [5_000.0, 9_000.0, 6_000.0]}
        yield about | prices | {
            "name": "events.price", "kind": "number", "current": [260.0, 440.0, 300.0], "values": [], "counts": [],
            "figure": 0.01 + 0.005 * (number % 4), "verdict": "stable",
        }  # fmt: skip


def _personalize(redis_url: str, path: Path, events: list[dict], n_batches: int = 12) -> None:
    """Profiles, lists and the model, by the hot path's own stage."""
    config = load_config(path)
    online = load_definitions(PROJECT / "conf/features.yaml").online()
    settings = StageSettings(redis_url, 1, config.profile, config.lists, config.model, online)
    learner = a_learner(redis_url, config.model)
    for batch_id, rows in enumerate(_batches(events, n_batches)):
        learner(FakeBatch(run(settings, batch_id, rows)), batch_id)


def _batches(events: list[dict], n_batches: int) -> Iterator[pa.RecordBatch]:
    told = sorted((e for e in events if e["event_type"] in INTERACTION_CODES), key=lambda e: e["ingest_time"])
    size = -(-len(told) // n_batches)
    for first in range(0, len(told), size):
        part = told[first : first + size]
        rows = some_rows([(e["user"], e["item_id"], number) for number, e in enumerate(part, first)], first)
        columns = {
            "item_hash": np.array([text_hash(e["item_id"]) for e in part], np.uint64).view(np.int64),
            "category_hash": np.array([text_hash(_category(e)) for e in part], np.uint64).view(np.int64),
            "code": [INTERACTION_CODES[e["event_type"]] for e in part],
            "time_s": [int(e["event_time"].timestamp()) for e in part],
        }
        for name, values in columns.items():
            rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(values, pa.int64()))
        yield rows


def _category(event: dict) -> str:
    return str(json.loads(event["extra"].get("category", "null")))
