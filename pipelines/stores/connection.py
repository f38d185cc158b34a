"""One way to connect to Redis or Valkey."""

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from pipelines.errors import ConfigError

NO_ADDRESS = (
    "the address of Redis cannot be used: expected redis://HOST:PORT/N, rediss://HOST:PORT/N or unix://PATH; it is in the "
    "variable REDIS_URL, else in the key redis.url"
)


def connect(url: str, *, timeout_seconds: float = 10.0, retries: int = 8) -> Redis:
    """Connect lazily to `url`; a lost connection is tried again for some seconds before the error is raised.

    Every write of Liveshelf may be repeated, so a retry after a lost answer is safe. Raises ConfigError when `url` is none.
    """
    try:
        return Redis.from_url(
            url,
            retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), retries=retries),
            retry_on_error=[RedisConnectionError, RedisTimeoutError],
            socket_timeout=timeout_seconds,
            socket_connect_timeout=min(timeout_seconds, 5.0),
        )
    except ValueError as error:  # its text may hold the password
        raise ConfigError(NO_ADDRESS) from error
