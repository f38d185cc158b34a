"""Reads lists over HTTP, from Python: with a time-out, retries, and no error where a page has no use for one.

    from pipelines.serving.client import ListClient

    lists = ListClient("http://lists.internal:8381")
    shown = lists.get("u42", n=8, exclude="tag:adult")
    shown.items[0].item_id, shown.age_seconds, shown.source

Needs `requests` and `tenacity` and nothing else of the suite: the file may be copied.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote

import requests
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

_TRY_AGAIN = (429, 502, 503, 504)


class ListError(Exception):
    """A list was not answered: the service is away, or refused the request. The text says which."""


@dataclass(frozen=True)
class ListedItem:
    """An item, and why it is shown."""

    item_id: str
    rank: int  # from 0; goes back as `position` of the events it led to
    reason: str
    score: float | None = None  # comparable within its list only
    details: Mapping[str, Any] | None = None  # title, price, image, brand, category: with details=True


@dataclass(frozen=True)
class ShownList:
    """What the service answered."""

    items: tuple[ListedItem, ...] = ()
    list_id: str = ""  # goes back as `list_id` of the events it led to
    source: str = "none"
    is_stale: bool = True
    as_of: str | None = None  # ISO 8601, UTC
    age_seconds: float | None = None
    model_version: str = ""

    @property
    def item_ids(self) -> list[str]:
        return [item.item_id for item in self.items]


class ListClient:
    """Keeps its connections: one for a process. Any thread may use it.

    timeout_seconds: of each attempt. n_attempts: in all, with short pauses that grow. empty_on_error: answer an empty list, whose
    source is `none`, where the service does not; else ListError is raised.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_seconds: float = 0.5,
        n_attempts: int = 3,
        empty_on_error: bool = False,
    ) -> None:
        self._url, self._timeout_seconds, self._empty_on_error = url.rstrip("/"), timeout_seconds, empty_on_error
        self._session = requests.Session()
        if key is not None:
            self._session.headers["X-Api-Key"] = key
        self._retrying = Retrying(
            stop=stop_after_attempt(n_attempts),
            wait=wait_random_exponential(multiplier=0.05, max=1),
            retry=retry_if_exception(lambda error: isinstance(error, _AgainError)),
            reraise=True,
        )

    def get(self, user_id: str, **parameters: Any) -> ShownList:
        """The list of a user: n, exclude, category, exclude_items, context_item, country, device, details."""
        return self._shown(f"/v1/lists/{quote(user_id, safe='')}", parameters)

    def similar(self, item_id: str, **parameters: Any) -> ShownList:
        """Items like an item: n, exclude, category, exclude_items, details."""
        return self._shown(f"/v1/similar/{quote(item_id, safe='')}", parameters)

    def trending(self, **parameters: Any) -> ShownList:
        """What is popular now: n, exclude, category, exclude_items, details."""
        return self._shown("/v1/trending", parameters)

    def get_many(self, user_ids: Sequence[str], **parameters: Any) -> dict[str, ShownList]:
        """The lists of up to 1,000 users, by user; parameters as of `get`. Empty where that is told, and nobody answers."""
        try:
            told = self._asked("POST", "/v1/lists/batch", parameters, {"user_ids": list(user_ids)})
        except ListError:
            if not self._empty_on_error:
                raise
            return {user_id: ShownList() for user_id in user_ids}
        return {of_user["user_id"]: _read(of_user) for of_user in told["lists"]}

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> "ListClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _shown(self, path: str, parameters: Mapping[str, Any]) -> ShownList:
        try:
            return _read(self._asked("GET", path, parameters))
        except ListError:
            if not self._empty_on_error:
                raise
            return ShownList()

    def _asked(self, method: str, path: str, parameters: Mapping[str, Any], body: Any = None) -> Any:
        """Ask; a read may be repeated. Raises ListError."""
        try:
            return self._retrying(self._once, method, path, _as_text(parameters), body)
        except _AgainError as error:
            raise ListError(str(error)) from error

    def _once(self, method: str, path: str, parameters: Mapping[str, Any], body: Any) -> Any:
        try:
            answer = self._session.request(
                method, self._url + path, params=parameters, json=body, timeout=self._timeout_seconds
            )
            if answer.status_code == 200:
                return answer.json()
        except (requests.RequestException, ValueError) as error:
            raise _AgainError(f"{self._url} does not answer: {error}") from error
        text = f"{self._url} answered {answer.status_code}: {answer.text[:300]}"
        raise _AgainError(text) if answer.status_code in _TRY_AGAIN else ListError(text)


class _AgainError(Exception):
    """Another attempt may go better."""


def _as_text(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Lists of ids with commas, truth as the service reads it; None is not sent."""
    return {name: _text_of(value) for name, value in parameters.items() if value is not None}


def _text_of(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, (str, int)) else ",".join(value)


def _read(told: Mapping[str, Any]) -> ShownList:
    return ShownList(
        tuple(_item(item) for item in told["items"]),
        told["list_id"],
        told["source"],
        told["stale"],
        told["as_of"],
        told["age_seconds"],
        told["model_version"],
    )


def _item(told: Mapping[str, Any]) -> ListedItem:
    known = ("item_id", "rank", "reason", "score")
    details = {name: value for name, value in told.items() if name not in known}
    return ListedItem(told["item_id"], told["rank"], told["reason"], told.get("score"), details or None)
