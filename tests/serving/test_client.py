"""The Python client, in front of a real server that runs the service."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests
import uvicorn

from pipelines.http.keys import Keys
from pipelines.http.server import listen
from pipelines.serving.client import ListClient, ListedItem, ListError, ShownList
from tests.serving.builders import Shop, an_item

KEY = "a-key-of-a-reader"
PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    shop = Shop(tmp_path_factory.mktemp("client"), Keys({KEY.encode(): "shop"}), require_key=True)
    shop.has_items(an_item("a", title="A mug", tags=("sale",)), an_item("b"))
    shop.has_list("u/1", ["a", "b"], age_hours=30)
    shop.has_fallback("all", ["w", "x"])
    return shop


@pytest.fixture(scope="module")
def url(shop):
    listening = listen("127.0.0.1", 0)
    listening.listen()  # who comes before the server is up waits
    running = uvicorn.Server(uvicorn.Config(shop.app, access_log=False, log_level="critical", lifespan="on"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    running.should_exit = True
    thread.join()


@pytest.fixture
def client(url):
    with ListClient(url, key=KEY, timeout_seconds=20) as client:
        yield client


def test_a_list_is_read_with_its_age_and_source(client):
    shown = client.get("u/1", n=3, details=True)

    assert shown.item_ids == ["a", "b", "w"]
    assert shown.items[0] == ListedItem("a", 0, "personal", 1.0, {"title": "A mug"})
    assert shown.items[2] == ListedItem("w", 2, "popular")
    assert (shown.source, shown.is_stale, shown.age_seconds) == ("personal", True, 30 * 3600.0)
    assert (shown.list_id, shown.model_version) == ("list-of-u/1", "m-1")


def test_parameters_go_as_the_service_reads_them(client):
    assert client.get("u/1", exclude="tag:sale", exclude_items=["w"], category=None).item_ids == ["b", "x"]
    assert client.get("u/1", exclude_items="a,b").item_ids == ["w", "x"]


def test_the_other_routes(client):
    assert client.trending(n=1).item_ids == ["w"]
    assert client.similar("w").item_ids == ["x"]
    many = client.get_many(["u/1", "nobody"], n=2)
    assert {user: shown.item_ids for user, shown in many.items()} == {"u/1": ["a", "b"], "nobody": ["w", "x"]}


def test_a_refusal_is_told_at_once_or_answered_by_an_empty_list(url):
    with pytest.raises(ListError, match=r"answered 401: .*a key is missing"):
        ListClient(url, timeout_seconds=20).get("u1")
    with pytest.raises(ListError, match=r"answered 400: .*n: expected a whole number"):
        ListClient(url, key=KEY, timeout_seconds=20).get("u1", n=0)

    assert ListClient(url, timeout_seconds=20, empty_on_error=True).get("u1") == ShownList()


@pytest.mark.parametrize("n_failures", [2, 3])
def test_it_tries_again_and_not_for_ever(client, monkeypatch, n_failures):
    ask, answers = client._session.request, iter([TimeoutError("slow")] * n_failures)

    def request(*args, **kwargs):
        if next(answers, None):
            raise requests.Timeout("slow")
        return ask(*args, **kwargs)

    monkeypatch.setattr(client._session, "request", request)
    monkeypatch.setattr(client._retrying, "sleep", lambda _: None)

    if n_failures == 2:
        assert client.get("u/1").item_ids[:2] == ["a", "b"]
    else:
        with pytest.raises(ListError, match="does not answer: slow"):
            client.get("u/1")


def test_where_nobody_listens_an_empty_list_says_so():
    nowhere = listen("127.0.0.1", 0)  # bound, and not listening
    client = ListClient(f"http://127.0.0.1:{nowhere.getsockname()[1]}", n_attempts=1, empty_on_error=True)

    shown = client.get("u1")
    assert shown.items == () and shown.source == "none" and shown.age_seconds is None
    assert client.get_many(["u1"]) == {"u1": ShownList()}
    nowhere.close()


def test_it_needs_nothing_of_the_suite():
    code = """
import sys
import pipelines.serving.client
print([name for name in ("pyspark", "numpy", "redis", "fastapi", "pydantic", "orjson") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)

    assert run.stdout.strip() == "[]"
