"""Load for the benchmarks of HTTP services: connections that send one request after another. Run as a process of its own.

    python -m benchmarks.http_load HOST PORT PATH EVENTS_A_REQUEST CONNECTIONS SECONDS
    python -m benchmarks.http_load HOST PORT PATH 0 CONNECTIONS SECONDS SECONDS_BETWEEN QUERY    (GET PATHuN of N users)

Prints one JSON object: requests, seconds, p50_ms, p99_ms, failed. Our own client, so that the figures need nothing installed:
plain asyncio streams, HTTP/1.1 kept alive, each body made anew so that no two events are the same.
"""

import asyncio
import json
import random
import sys
import time
import uuid

ONE_EVENT = (
    '{"event_id":"%s-%d","event_type":"product_view","anonymous_id":"a-%d","session_id":"s-%d","event_time":%d,'
    '"item_id":"item-%d","price":12.5,"currency":"EUR","context":{"page_url":"https://shop.example/p/%d",'
    '"referrer":"https://shop.example/"}}'
)
N_USERS = 10_000
USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36"
)


class Load:
    """Requests and what came of them."""

    def __init__(
        self, host: str, port: int, path: str, batch: int, seconds_between: float = 0.0, query: str = ""
    ) -> None:
        self._seconds_between, self._query = seconds_between, query
        self._host, self._port, self._path, self._batch = host, port, path, batch
        self._run, self._n = uuid.uuid4().hex[:12], 0
        self.seconds: list[float] = []
        self.failed = 0

    async def send_until(self, end: float) -> None:
        """Send on one connection until `end`, of the monotonic clock."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        while time.monotonic() < end:
            if self._seconds_between:
                await asyncio.sleep(random.expovariate(1 / self._seconds_between))
            request = self._request() if self._batch else self._get()
            began = time.monotonic()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            self.seconds.append(time.monotonic() - began)
            self.failed += not head.startswith(b"HTTP/1.1 200")
        writer.close()

    def _request(self) -> bytes:
        events = [self._event() for _ in range(self._batch)]
        body = events[0] if self._batch == 1 else f"[{','.join(events)}]"
        return (
            f"POST {self._path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\n"
            f"User-Agent: {USER_AGENT}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def _get(self) -> bytes:
        path = f"{self._path}u{random.randint(1, N_USERS)}{self._query}"
        return f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode()

    def _event(self) -> str:
        n = self._n = self._n + 1
        return ONE_EVENT % (self._run, n, n % 5_000, n % 9_000, time.time_ns() // 1_000_000, n % 700, n % 700)


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])


async def _measure(load: Load, connections: int, seconds: float) -> dict[str, float]:
    began = time.monotonic()
    await asyncio.gather(*[load.send_until(began + seconds) for _ in range(connections)])
    taken, each = time.monotonic() - began, sorted(load.seconds)
    return {
        "requests": len(each),
        "seconds": taken,
        "p50_ms": each[len(each) // 2] * 1000,
        "p99_ms": each[len(each) * 99 // 100] * 1000,
        "failed": load.failed,
    }


if __name__ == "__main__":
    host, port, path, batch, connections, seconds, *more = sys.argv[1:]
    of_one_run = Load(host, int(port), path, int(batch), float(more[0]) if more else 0.0, more[1] if more[1:] else "")
    print(json.dumps(asyncio.run(_measure(of_one_run, int(connections), float(seconds)))))
