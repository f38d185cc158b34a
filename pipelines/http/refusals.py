"""Why a request is refused: a status, a text for people, and what the client should do."""

from pipelines.errors import LiveshelfError


class RefusedError(LiveshelfError):
    """A request that nothing is done for. `kind` is one of few words, for counting."""

    def __init__(self, status: int, kind: str, text: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(text)
        self.status, self.kind, self.text, self.retry_after_seconds = status, kind, text, retry_after_seconds

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after_seconds is None else {"Retry-After": str(self.retry_after_seconds)}
