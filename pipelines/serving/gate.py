"""Who may read, and how much."""

from starlette.requests import Request

from pipelines.http.keys import Keys, KeySource
from pipelines.http.rates import RateLimit
from pipelines.http.refusals import RefusedError
from pipelines.list_sections import ServingConfig

KEYS_VARIABLE = "SERVING_KEYS"
KEY_HEADER = "x-api-key"
KEY_SOURCE = KeySource(KEYS_VARIABLE, "serving.keys_file", "reader")


class Gate:
    """Lets a request in or raises RefusedError."""

    def __init__(self, config: ServingConfig, keys: Keys) -> None:
        self._is_key_needed, self._keys = config.require_key, keys
        whom = "this key" if config.require_key else "this address"
        self._rates = RateLimit(max(1, config.requests_per_minute // config.workers), "requests", whom)

    def check(self, request: Request, key: str, n: int = 1) -> None:
        """Refuse who has no key (401), and what is beyond the rate of a key or address (429).

        `key` is the one in the address; the header X-Api-Key goes first.
        """
        self._rates.count(self._reader(request, key), n)

    def _reader(self, request: Request, key: str) -> str:
        if not self._is_key_needed:
            return request.client.host if request.client else ""
        given = request.headers.get(KEY_HEADER) or key
        reader = self._keys.name_of(given) if given else None
        if reader is None:
            text = "the key is wrong" if given else "a key is missing"
            raise RefusedError(401, "key", f"{text}: header X-Api-Key, or ?key= in the address")
        return reader
