"""What uvicorn is told: slow and endless heads are given up, the log has no addresses, a taken port is named."""

import json
import socket
import threading

import pytest
import uvicorn

from pipelines.errors import ServerError
from pipelines.http import server
from pipelines.http.server import ImpatientProtocol, listen
from tests.collecting.builders import KEY, Client, an_event


@pytest.fixture(scope="module")
def address():
    client = Client(require_write_key=False)
    listening = listen("127.0.0.1", 0)
    listening.listen()  # who comes before the server is up waits
    settings = uvicorn.Config(
        client.app, http=ImpatientProtocol, access_log=False, log_level="critical", lifespan="on", timeout_keep_alive=1
    )
    running = uvicorn.Server(settings)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield listening.getsockname()
    running.should_exit = True
    thread.join()
    assert client.producer.waited_seconds  # before it listened
    assert client.producer.is_closed  # what waits is flushed when the service ends


def talk(address, *parts: bytes) -> bytes:
    """Send parts, and read until the other end closes."""
    with socket.create_connection(address, timeout=20) as connection:
        answer = b""
        try:
            for part in parts:
                connection.sendall(part)
            while part := connection.recv(65_536):
                answer += part
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answer


def a_post(body: bytes, *headers: str) -> bytes:
    lines = ["POST /v1/events HTTP/1.1", "Host: h", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_an_event_goes_through_the_real_server(address):
    answer = talk(address, a_post(json.dumps(an_event()).encode(), f"X-Write-Key: {KEY}"))

    assert answer.startswith(b"HTTP/1.1 200") and b'"accepted":1' in answer


def test_a_large_body_behind_the_head_is_no_large_head(address):
    body = b" " * 500_000 + b"[]"

    assert talk(address, a_post(body)).startswith(b"HTTP/1.1 200")


def test_a_head_that_does_not_end_is_given_up(address, monkeypatch):
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.05)

    assert talk(address, b"POST /v1/events HTTP/1.1\r\nHost: h\r\nX-Slow: ") == b""


def test_a_body_that_goes_on_after_its_answer_does_not_keep_the_connection(address):
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(b"POST /v1/events HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n")
        answer = connection.recv(65_536)
        connection.sendall(b"[" * 10)  # and then the client is gone
        rest = connection.recv(65_536)
        while rest:
            answer, rest = answer + rest, connection.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 413")


def test_a_connection_that_says_nothing_is_given_up(address, monkeypatch):
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.05)

    assert talk(address) == b""


def test_a_head_without_bound_is_given_up(address):
    head = b"GET /healthz HTTP/1.1\r\n" + b"X-Long: " + b"x" * 40_000

    assert talk(address, head, b"y" * 40_000) == b""  # HEAD_SECONDS are not over


def test_a_taken_port_is_named_and_what_to_do():
    taken = listen("127.0.0.1", 0)
    taken.listen()
    port = taken.getsockname()[1]

    with pytest.raises(ServerError, match=rf"127\.0\.0\.1, port {port} .*--port"):
        listen("127.0.0.1", port)
    taken.close()
