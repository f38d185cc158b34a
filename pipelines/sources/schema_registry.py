"""Reads the schemas of a topic's values from a Confluent-style registry, over its HTTP API."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from pipelines.errors import ServerError

_NOT_FOUND = 404


@dataclass(frozen=True)
class RegisteredSchema:
    """One version of a subject's schema."""

    id: int
    kind: str  # AVRO, PROTOBUF or JSON
    definitions: tuple[tuple[str, str], ...]  # (name, definition) of each schema it refers to, then of itself ("")


class SchemaRegistry:
    """The HTTP API at `url`, which may carry user and password.

    A registry that does not answer, or answers 5xx, is asked again `n_retries` times, after 0, 2, 4, 8, 16 … seconds.
    Raises ServerError, with what was asked for, when it still does not, or refuses.
    """

    def __init__(self, url: str, *, n_retries: int = 5, timeout_seconds: float = 5.0) -> None:
        parts = urlsplit(url)
        self.address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()  # for messages
        self._url, self._timeout_seconds = url.rstrip("/"), timeout_seconds
        self._session = requests.Session()
        retry = Retry(n_retries, backoff_factor=1.0, status_forcelist=(500, 502, 503, 504), raise_on_status=False)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def versions(self, subject: str) -> list[int]:
        """Versions of a subject, those deleted among them: their records may still be there. Empty for no such subject."""
        found: list[int] = self._get(
            f"/subjects/{quote(subject, safe='')}/versions", or_if_not_found=[], deleted="true"
        )
        return found

    def schema(self, subject: str, version: int) -> RegisteredSchema:
        """A version of a subject, with all that it refers to."""
        described = self._version(subject, version)
        kind = described.get("schemaType", "AVRO")
        itself = ("", self._definition(described["id"], kind))
        return RegisteredSchema(described["id"], kind, (*self._referenced(described, kind).items(), itself))

    def _version(self, subject: str, version: int) -> dict[str, Any]:
        described: dict[str, Any] = self._get(f"/subjects/{quote(subject, safe='')}/versions/{version}", deleted="true")
        return described

    def _referenced(self, described: Mapping[str, Any], kind: str) -> dict[str, str]:
        """Name → definition of what a schema refers to, in an order in which each comes after what it needs."""
        found: dict[str, str] = {}
        for reference in described.get("references") or []:
            target = self._version(reference["subject"], reference["version"])
            found |= self._referenced(target, kind)
            found[reference["name"]] = self._definition(target["id"], kind)
        return found

    def _definition(self, schema_id: int, kind: str) -> str:
        form = {"format": "serialized"} if kind == "PROTOBUF" else {}  # a FileDescriptorProto, in base64
        definition: str = self._get(f"/schemas/ids/{schema_id}", **form)["schema"]
        return definition

    def _get(self, path: str, *, or_if_not_found: Any = None, **query: str) -> Any:
        asked = f"the schema registry at {self.address} (asked for {path})"
        try:
            answer = self._session.get(self._url + path, params=query, timeout=self._timeout_seconds)
            if answer.status_code == _NOT_FOUND and or_if_not_found is not None:
                return or_if_not_found
            answer.raise_for_status()
            return answer.json()
        except requests.HTTPError as error:
            raise ServerError(f"{asked} refused: {error.response.status_code} {error.response.text[:300]}") from error
        except requests.JSONDecodeError as error:
            raise ServerError(
                f"{asked} answered something that is not JSON: is this the address of a registry?"
            ) from error
        except requests.RequestException as error:
            raise ServerError(
                f"{asked} does not answer ({type(error).__name__}); see kafka.schema_registry_url"
            ) from error


class TopicSchemas:
    """The schemas of a topic's values: all that the registry has at start, and what is new whenever it is asked for.

    They are the versions of the subject {topic}-value. Raises ServerError where there is none, or no registry.
    """

    def __init__(self, url: str, topic: str, *, n_retries: int = 5, pause_seconds: float = 10.0) -> None:
        self.failure: ServerError | None = None  # of the last question, where it got no answer
        self._subject, self._pause_seconds, self._not_before = f"{topic}-value", pause_seconds, 0.0
        self._versions: dict[int, RegisteredSchema] = {}
        at_start = SchemaRegistry(url, n_retries=n_retries)
        if not self._refresh(at_start):
            raise ServerError(
                f"the schema registry at {at_start.address} has no subject {self._subject}: register the schema of the "
                f"values of topic {topic} under this name (TopicNameStrategy, the default of serializers)"
            )
        # A stream that runs waits for nobody: the one more try is for a connection that had been closed.
        self._registry = SchemaRegistry(url, n_retries=1, timeout_seconds=1.0)

    @property
    def schemas(self) -> dict[int, RegisteredSchema]:
        """By id, oldest version first."""
        return {schema.id: schema for _, schema in sorted(self._versions.items())}

    def has_news(self) -> bool:
        """Whether versions came since the last question. Costs a request, some milliseconds.

        Silence is taken for a no, for a stream goes on without its registry; `failure` has the error, and for
        `pause_seconds` no question is asked, so that not every micro-batch waits for an answer.
        """
        if time.monotonic() < self._not_before:
            return False
        try:
            has_news, self.failure = self._refresh(self._registry), None
        except ServerError as error:
            self._not_before, self.failure = time.monotonic() + self._pause_seconds, error
            return False
        return has_news

    def _refresh(self, registry: SchemaRegistry) -> bool:
        fresh = [version for version in registry.versions(self._subject) if version not in self._versions]
        self._versions |= {version: registry.schema(self._subject, version) for version in fresh}
        return bool(fresh)
