"""From parsed events to Kafka: each is judged, completed and handed over; the answer says what became of it."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipelines.collecting.checks import EventCheck, Fault
from pipelines.collecting.consent import Fate, is_refused, without_ids
from pipelines.collecting.json_text import dumps
from pipelines.collecting.metrics import Metrics
from pipelines.collecting.requests import Unreadable
from pipelines.collector_sections import MAX_RECORD_BYTES
from pipelines.http.refusals import RefusedError
from pipelines.logs.trouble import Tallied
from pipelines.sinks.event_producer import NotTakenError, Record

_COUNTRY = re.compile(r"(?!XX)[A-Z]{2}").fullmatch  # XX: the CDN does not know


class Producer(Protocol):
    """What is asked of Kafka's side."""

    @property
    def n_pending(self) -> int: ...
    @property
    def pending_bytes(self) -> int: ...
    def send_all(self, records: Sequence[Record]) -> "Future[None]": ...
    def wait_connected(self, timeout_seconds: float) -> bool: ...
    def why_not_ready(self) -> str: ...
    def close(self, timeout_seconds: float) -> bool: ...


@dataclass(frozen=True)
class Sender:
    """What a request says about who sends its events. Nothing of the address is in it."""

    site: str
    route: str
    device_type: str | None = None
    country: str | None = None
    says_no: bool = False  # by a header of the browser


@dataclass
class Verdicts:
    """What became of the events of a request: accepted (in Kafka), rejected, or dropped for want of consent."""

    accepted: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)
    dropped: int = 0

    def as_json(self) -> dict[str, Any]:
        return {"accepted": self.accepted, "rejected": self.rejected, "dropped": self.dropped}


class Intake:
    """`await intake.take(events, sender)` returns when Kafka has acknowledged what could be accepted."""

    def __init__(
        self,
        check: EventCheck,
        producer: Producer,
        metrics: Metrics,
        without_consent: Fate,
        retry_after_seconds: int,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._check, self._producer, self._metrics = check, producer, metrics
        self._rejections = Tallied("events_rejected", "by_rule")
        self._without_consent, self._retry_after_seconds, self._now_ms = without_consent, retry_after_seconds, now_ms

    async def take(self, events: Sequence[Any], sender: Sender) -> Verdicts:
        """Judge, complete and produce the events.

        Raises RefusedError (503) where Kafka has not acknowledged every accepted one: the client sends all again, with the
        same ids, and what is in Kafka already is folded away downstream.
        """
        verdicts, records, now_ms = Verdicts(), [], self._now_ms()
        for index, event in enumerate(events):
            record = self._judge(event, sender, now_ms)
            if isinstance(record, Fault):
                verdicts.rejected.append(_rejected(index, event, record))
                self._metrics.rejected.labels(sender.route, record.rule).inc()
                self._rejections.add(record.rule)
            elif record is None:
                verdicts.dropped += 1
            else:
                records.append(record)
        if records:
            await self._produce(records)
            self._metrics.accepted.labels(sender.site, sender.route).inc(len(records))
        verdicts.accepted = len(records)
        return verdicts

    def _judge(self, event: Any, sender: Sender, now_ms: int) -> Record | Fault | None:
        if isinstance(event, Unreadable):
            return Fault("record_parseable", "", event.reason)
        if isinstance(event, dict) and (sender.says_no or is_refused(event)):
            event = self._unconsented(event)
            if event is None:
                return None
        if fault := self._check(event, now_ms):
            return fault
        _complete(event, sender, now_ms)
        value = dumps(event)
        if len(value) > MAX_RECORD_BYTES:
            return Fault(
                "record_within_size", "", f"the event has {len(value):,} bytes: expected at most {MAX_RECORD_BYTES:,}"
            )
        return (event.get("user_id") or event["anonymous_id"]).encode(), value

    def _unconsented(self, event: dict[str, Any]) -> dict[str, Any] | None:
        kept = without_ids(event) if self._without_consent == "drop_ids" else None
        self._metrics.unconsented.labels("ids dropped" if kept else "dropped").inc()
        return kept

    async def _produce(self, records: Sequence[Record]) -> None:
        began = time.monotonic()
        try:
            acknowledged = self._producer.send_all(records)
            self._tell_queue()
            await asyncio.wrap_future(acknowledged)
        except NotTakenError as error:
            text = f"none of these events is accepted: {error}. Send all again, with the same event_id"
            raise RefusedError(503, "kafka", text, self._retry_after_seconds) from error
        finally:
            self._tell_queue()
        self._metrics.produce_seconds.observe(time.monotonic() - began)

    def _tell_queue(self) -> None:
        self._metrics.queue_events.set(self._producer.n_pending)
        self._metrics.queue_bytes.set(self._producer.pending_bytes)


def country_of(header: str) -> str | None:
    """Return a two-letter country from a CDN's header; None for what is none."""
    country = header.strip().upper()
    return country if _COUNTRY(country) else None


def _complete(event: dict[str, Any], sender: Sender, now_ms: int) -> None:
    """Add what the client left out and the server knows."""
    if event.get("event_time") in (None, ""):
        event["event_time"] = now_ms
    context = event.get("context") or {}
    if sender.device_type and not context.get("device_type"):
        context["device_type"] = sender.device_type
    if sender.country and not context.get("location"):
        context["location"] = sender.country
    if context:
        event["context"] = context


def _rejected(index: int, event: Any, fault: Fault) -> dict[str, Any]:
    event_id = event.get("event_id") if isinstance(event, dict) else None
    shown = event_id[:128] if isinstance(event_id, str) else None
    return {"index": index, "event_id": shown, "field": fault.field, "reason": fault.reason}
