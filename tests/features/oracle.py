"""What conf/features.yaml means, event by event, in plain Python: slow, and of no common code with either compiler."""

import math
from collections import defaultdict
from datetime import datetime, timedelta, timezone

import yaml

EPOCH = datetime(1970, 1, 1)
DAY = 86_400


def seconds(moment: datetime) -> int:
    return (moment.replace(tzinfo=None) - EPOCH) // timedelta(seconds=1)


def micros(moment: datetime) -> int:
    return (moment.replace(tzinfo=None) - EPOCH) // timedelta(microseconds=1)


class Oracle:
    """`features(entity, events)` → {key: {"as_of_s": …, feature: value}}; events are dicts of the table `events`.

    `hash_of` gives the hash that sketches keep of a text; only counts beyond k depend on it.
    """

    def __init__(self, document, hash_of=None) -> None:
        self.document = document  # the file, as YAML reads it
        self.hash_of = hash_of

    def features(self, entity, events, at_s=None):
        entries = {n: e for n, e in self.document["features"].items() if e["entity"] == entity}
        types = {kind for entry in entries.values() for kind in self._types(entry)}
        by_key = defaultdict(list)
        for event in events:
            if event["event_type"] in types:
                for key in self._keys(entity, event):
                    by_key[key].append(event)
        return {key: self._row(entries, own, at_s) for key, own in by_key.items()}

    def _row(self, entries, events, at_s):
        as_of_s = max(seconds(event["event_time"]) for event in events)
        row = {"as_of_s": as_of_s}
        for name, entry in entries.items():
            row.update(self._values(name, entry, events, as_of_s if at_s is None else at_s))
        return row

    def _values(self, name, entry, events, at_s):
        own = [event for event in events if event["event_type"] in self._types(entry)]
        kind = entry["kind"]
        if kind in ("decayed_sum", "decayed_count", "rate"):
            halves = self.document["half_lives_hours"]
            return {
                f"{name}_{half}": self._decayed(entry, own, at_s, halves[half] * 3600)
                for half in entry.get("half_lives", halves)
            }
        if kind == "last_time":
            return {name: max((event["event_time"] for event in own), default=None)}
        if kind == "last_value":
            having = [event for event in own if self.field(event, entry["field"]) is not None]
            newest = max(having, key=lambda e: (e["event_time"], e["ingest_time"], e["event_id"]), default=None)
            limit_s = entry.get("expires_after_days", math.inf) * DAY
            fresh = newest is not None and at_s - seconds(newest["event_time"]) <= limit_s
            return {name: self.field(newest, entry["field"]) if fresh else None}
        if kind == "distinct_count":
            return {name: self._distinct(entry, own)}
        return {name: self._session_seconds(own)}

    def _decayed(self, entry, events, at_s, half_life_s):
        def total(weight_of):
            parts = []
            for event in events:
                weight = weight_of(event)
                age = at_s - seconds(event["event_time"])
                parts.append(weight * 2.0 ** (-age / half_life_s) if age / half_life_s < 1100 else 0.0)
            return math.fsum(parts)

        if entry["kind"] == "rate":
            hits, of = (
                total(lambda event, part=part: float(event["event_type"] in entry[part])) for part in ("hits", "of")
            )
            return (hits + entry["prior"] * entry["prior_events"]) / (of + entry["prior_events"])
        weights = entry["events"] if isinstance(entry["events"], dict) else dict.fromkeys(entry["events"], 1.0)
        return total(lambda event: weights[event["event_type"]] * self._number(event, entry.get("value")))

    def _number(self, event, value):
        if value is None:
            return 1.0
        assert value == "amount"
        quantity = 1 if event["quantity"] is None else event["quantity"]
        return 0.0 if event["price"] is None else event["price"] * quantity

    def _distinct(self, entry, events):
        texts = {self.field(event, entry["field"]) for event in events} - {None}
        k = entry.get("k", 128)
        if len(texts) < k:
            return len(texts)
        kth = sorted(self.hash_of(text) for text in texts)[k - 1]
        return int((k - 1) / ((kth + 2**63) / 2**64))

    def _session_seconds(self, events):
        sessions = defaultdict(list)
        for event in events:
            if event["session_id"] is not None:
                time_s = seconds(event["event_time"])
                sessions[time_s // DAY, event["session_id"]].append(time_s)
        if not sessions:
            return None
        newest = max(last for times in sessions.values() for last in [max(times)])
        # two sessions that end in one second: either is right
        return {max(times) - min(times) for times in sessions.values() if max(times) == newest}

    def _keys(self, entity, event):
        names = self.document["entities"][entity]
        choices = self._segments(event) if "segment" in names else [None]
        for segment in choices:
            key = tuple(segment if name == "segment" else self.field(event, name) for name in names)
            if None not in key:
                yield key

    def _segments(self, event):
        yield "all"
        for name in self.document["segments"]:
            if value := self.field(event, name):
                yield f"{name}:{value}"

    def field(self, event, name):
        path = self.document.get("fields", {}).get(name, name)
        if path.startswith("context."):
            return (event.get("context") or {}).get(path.removeprefix("context."))
        if path in event:
            return event[path]
        text = (event.get("extra") or {}).get(path)
        return None if text is None else yaml.safe_load(text)  # JSON is YAML

    @staticmethod
    def _types(entry):
        return [*entry["hits"], *entry["of"]] if entry["kind"] == "rate" else list(entry["events"])


def utc(time_s: float) -> datetime:
    return datetime.fromtimestamp(time_s, timezone.utc).replace(tzinfo=None)
