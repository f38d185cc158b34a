"""Records that were handed to Kafka's client and are not answered yet: how many there may be, and who waits for them."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

from pipelines.errors import LiveshelfError

Record = tuple[bytes | None, bytes]  # key, value

RECORD_OVERHEAD_BYTES = 256  # what a record costs in memory beside its key and value, about


class NotTakenError(LiveshelfError):
    """Kafka does not have the records for certain: it is away, slow, or refused them. Sending them again is right."""


class QueueFullError(NotTakenError):
    """As many records wait for Kafka as may: the caller should tell its clients to come back later."""


class Delivery:
    """Records that were handed over together. `future` is done when each is answered, or when they are given up."""

    __slots__ = ("_deliveries", "_error", "_is_told", "_n_left", "future", "n", "n_bytes", "since")

    def __init__(self, deliveries: "Deliveries", n: int, n_bytes: int) -> None:
        self._deliveries, self.n, self._n_left, self.n_bytes = deliveries, n, n, n_bytes
        self.since = time.monotonic()
        self._error: BaseException | None = None
        self._is_told = False
        self.future: Future[None] = Future()
        self.future.set_running_or_notify_cancel()  # a client that hangs up cancels nothing: the records are on their way

    def acknowledged(self, _metadata: object) -> None:
        """One more record is in Kafka."""
        self._answered(1, None)

    def failed(self, error: BaseException) -> None:
        """One more record is not, as far as is known."""
        self._answered(1, error)

    def never_sent(self, n: int, error: BaseException) -> None:
        """The last `n` records were not handed over."""
        self._answered(n, error)

    def give_up(self, error: BaseException) -> None:
        """Tell who waits; the records still take room until they are answered."""
        with self._deliveries.lock:
            self._error = self._error or error
            is_first, self._is_told = not self._is_told, True
        if is_first:
            self._tell()

    def _answered(self, n: int, error: BaseException | None) -> None:
        with self._deliveries.lock:
            self._n_left -= n
            self._error = self._error or error
            if self._n_left:
                return
            self._deliveries.remove(self)
            self._deliveries.n_failed += self._error is not None
            is_first, self._is_told = not self._is_told, True
        if is_first:
            self._tell()

    def _tell(self) -> None:
        if self._error is None:
            self.future.set_result(None)
        else:
            reason = str(self._error) or type(self._error).__name__
            self.future.set_exception(NotTakenError(f"Kafka did not acknowledge: {reason}"))


class Deliveries:
    """All that waits, bounded in records and bytes. For any thread."""

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events, self._max_bytes = max_events, max_bytes
        self._waiting: dict[Delivery, None] = {}  # in the order of sending
        self.lock = threading.Lock()
        self.n = 0
        self.n_bytes = 0
        self.n_failed = 0  # deliveries, since the beginning

    def admit(self, records: Sequence[Record]) -> Delivery:
        """Make room for records. Raises QueueFullError where there is none."""
        n_bytes = sum([len(value) + len(key or b"") for key, value in records]) + len(records) * RECORD_OVERHEAD_BYTES
        delivery = Delivery(self, len(records), n_bytes)
        with self.lock:
            n, size = self.n + len(records), self.n_bytes + n_bytes
            if n > self._max_events or size > self._max_bytes:
                raise QueueFullError(
                    f"{self.n:,} events ({self.n_bytes:,} bytes) wait for Kafka: there is no room for more"
                )
            self.n, self.n_bytes = n, size
            self._waiting[delivery] = None
        return delivery

    def remove(self, delivery: Delivery) -> None:
        """Free the room of a delivery. The caller holds `lock`."""
        self._waiting.pop(delivery)
        self.n -= delivery.n
        self.n_bytes -= delivery.n_bytes

    def give_up(self, error: BaseException) -> None:
        """Tell all who wait that it is not known whether Kafka has their records."""
        with self.lock:
            waiting = list(self._waiting)
        for delivery in waiting:
            delivery.give_up(error)

    @property
    def is_full(self) -> bool:
        return self.n >= self._max_events or self.n_bytes >= self._max_bytes

    def oldest_seconds(self) -> float:
        """How long the oldest has waited; 0 where none waits."""
        with self.lock:
            oldest = next(iter(self._waiting), None)
        return time.monotonic() - oldest.since if oldest else 0.0
