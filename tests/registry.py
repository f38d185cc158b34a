"""A schema registry stand-in on loopback: the part of Confluent's HTTP API that producers and Liveshelf use."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.request import Request, urlopen

from google.protobuf.descriptor_pb2 import FileDescriptorProto

NOT_FOUND = {"subject": 40401, "version": 40402, "schema": 40403}


class RegistryStandIn:
    """Subjects and their versions. `asked` has every path that was asked for; `is_down` makes it answer 503."""

    def __init__(self, port: int = 0, password: str | None = None) -> None:
        self.subjects: dict[str, list[dict]] = {}
        self.asked: list[str] = []
        self.is_down = False
        self.password = password
        self.deleted: set[tuple[str, int]] = set()  # (subject, version): softly, as a registry does it
        self._by_id: dict[int, dict] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler_of(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def register(self, subject: str, schema: str, kind: str = "AVRO", references: list[dict] | None = None) -> int:
        """As a producer does it, over HTTP; a Protobuf schema is given as a FileDescriptorProto in base64. Returns the id."""
        body = {"schema": schema, "schemaType": kind, "references": references or []}
        request = Request(f"{self.url}/subjects/{subject}/versions", json.dumps(body).encode(), method="POST")
        with urlopen(request, timeout=5) as answer:
            return json.load(answer)["id"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        url = urlsplit(path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        if self.is_down:
            return 503, {"error_code": 50301, "message": "down"}
        if method == "POST":
            return 200, {"id": self._add(parts[1], json.loads(body))}
        query = parse_qs(url.query)
        serialized = query.get("format") == ["serialized"]
        match parts:
            case ["schemas", "ids", schema_id]:
                found = self._by_id.get(int(schema_id))
                return (200, _shown(found, serialized)) if found else _not_found("schema", schema_id)
            case ["subjects", subject, "versions"] if subject in self.subjects:
                return 200, [entry["version"] for entry in self._visible(subject, query)]
            case ["subjects", subject, "versions", version] if subject in self.subjects:
                found = next((e for e in self._visible(subject, query) if str(e["version"]) == version), None)
                return (200, found | _shown(found, serialized)) if found else _not_found("version", version)
        return _not_found("subject", parts[1] if len(parts) > 1 else "")

    def _visible(self, subject: str, query: dict[str, list[str]]) -> list[dict]:
        shows_deleted = query.get("deleted") == ["true"]
        return [e for e in self.subjects[subject] if shows_deleted or (subject, e["version"]) not in self.deleted]

    def _add(self, subject: str, schema: dict) -> int:
        versions = self.subjects.setdefault(subject, [])
        schema_id = 100_001 + len(self._by_id)
        entry = {"subject": subject, "version": len(versions) + 1, "id": schema_id, **schema}
        if entry["schemaType"] == "AVRO":
            del entry["schemaType"]  # Confluent's leaves it out
        versions.append(entry)
        self._by_id[schema_id] = entry
        return schema_id


def _shown(entry: dict, serialized: bool) -> dict:
    kind = entry.get("schemaType", "AVRO")
    schema = entry["schema"] if serialized or kind != "PROTOBUF" else "syntax = …"
    if kind == "PROTOBUF" and serialized:
        FileDescriptorProto.FromString(base64.b64decode(schema))
    described = {"schema": schema, "references": entry["references"]}
    return described if kind == "AVRO" else described | {"schemaType": kind}


def _not_found(what: str, name: str) -> tuple[int, object]:
    return 404, {"error_code": NOT_FOUND[what], "message": f"{what.capitalize()} '{name}' not found."}


def _handler_of(registry: RegistryStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: in two, the second waits 40 ms for the first to be confirmed

        def do_GET(self) -> None:
            self._do("GET", b"")

        def do_POST(self) -> None:
            self._do("POST", self.rfile.read(int(self.headers["Content-Length"])))

        def _do(self, method: str, body: bytes) -> None:
            if method == "GET":
                registry.asked.append(re.sub(r"\?.*", "", self.path))
            status, answer = registry.answer(method, self.path, body)
            expected = base64.b64encode((registry.password or "").encode()).decode()
            if method == "GET" and registry.password and self.headers.get("Authorization") != f"Basic {expected}":
                status, answer = 401, {"error_code": 401, "message": "Unauthorized"}
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def a_registry(**settings) -> Iterator[RegistryStandIn]:
    registry = RegistryStandIn(**settings)
    try:
        yield registry
    finally:
        registry.close()
