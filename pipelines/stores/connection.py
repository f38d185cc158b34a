"""One way to connect to Redis or Valkey."""

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry


def connect(url: str, *, timeout_seconds: float = 10.0, retries: int = 8) -> Redis:
    """Connect lazily to `url`; a lost connection is tried again for some seconds before the error is raised.

    Every write of Liveshelf may be repeated, so a retry after a lost answer is safe.
    """
    return Redis.from_url(
        url,
        retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), retries=retries),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
        socket_timeout=timeout_seconds,
        socket_connect_timeout=min(timeout_seconds, 5.0),
    )
