"""A visitor clicks through the shop in a real browser; every action is in Kafka, in order, though the collector is killed."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from kafka import KafkaConsumer, TopicPartition

from tests.tracker.recorder import PATIENCE_SECONDS, Event, what_of
from tests.tracker.shop import PROJECT, Shop

pytestmark = [pytest.mark.servers, pytest.mark.crash]

# What the visitor does, as the streams are to read it.
BEFORE_LOGIN = [
    "page_view",
    "click mug-1",
    "page_view",
    "product_view mug-1",
    "add_to_cart mug-1",
    "page_view",
    "remove_from_cart mug-1",
    "page_view",
    "search tea pot",
    "page_view",
    "page_view",
    "click cup-1",
    "page_view",
    "product_view cup-1",
]
AFTER_LOGIN = [
    "identify",
    "add_to_cart cup-1",
    "page_view",
    "purchase mug-1",
    "purchase mug-2",
]
ACTIONS = {what.split()[0] for what in BEFORE_LOGIN + AFTER_LOGIN}  # all but impressions


class Collector:
    """The real one, as a process of its own that can be killed and started again."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._environment = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "LIVESHELF_KAFKA__TOPIC": topic,
            "COLLECTOR_WRITE_KEYS": "shop:demo-shop-write-key",
            "LIVESHELF_COLLECTOR__ALLOWED_ORIGINS": '["*"]',
        }

    def start(self) -> None:
        command = [sys.executable, "-m", "jobs", "collect_events", "--port", str(self._port)]
        self._process = subprocess.Popen(command, cwd=PROJECT, env=self._environment, stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not self._is_ready():
            assert self._process.poll() is None and time.monotonic() < give_up
            time.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=1).ok
        except requests.ConnectionError:
            return False


class Topic:
    """What is in a topic, read on and on."""

    def __init__(self, bootstrap_servers: str, name: str) -> None:
        self._consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers)
        self._consumer.assign([TopicPartition(name, partition) for partition in (0, 1)])
        self._consumer.seek_to_beginning()
        self.by_key: dict[bytes, dict[str, Event]] = {}

    @property
    def events(self) -> list[Event]:
        """Each event once, as the streams count it: those of a key in the order of arrival."""
        return [event for of_key in self.by_key.values() for event in of_key.values()]

    def wait_for(self, n_events: int, *types: str) -> list[Event]:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while len(found := [event for event in self.events if not types or event["event_type"] in types]) < n_events:
            assert time.monotonic() < give_up, f"expected {n_events} events {types}, got {what_of(self.events)}"
            for records in self._consumer.poll(timeout_ms=200).values():
                for record in records:
                    event = json.loads(record.value)
                    self.by_key.setdefault(record.key, {}).setdefault(event["event_id"], event)
        return found

    def close(self) -> None:
        self._consumer.close()


@contextmanager
def closing_kill(collector: Collector) -> Iterator[Collector]:
    collector.start()
    try:
        yield collector
    finally:
        collector.kill()


def test_every_action_arrives_once_and_in_order_though_the_collector_is_killed(servers, topic, page):
    arrived = Topic(servers.bootstrap_servers, topic)
    with closing_kill(Collector(servers.bootstrap_servers, topic)) as collector, Shop(collector.url) as shop:
        page.goto(f"{shop.url}/index.html")
        arrived.wait_for(4, "impression")
        page.click("text=Blue mug")
        page.wait_for_url("**/mug.html")
        arrived.wait_for(1, "product_view")

        collector.kill()
        page.fill("[name=quantity]", "2")
        page.click("text=Add to cart")
        page.wait_for_url("**/cart.html?*")
        page.click("text=Remove >> nth=0")
        page.reload()
        page.fill("[name=q]", "tea pot")
        page.press("[name=q]", "Enter")
        page.wait_for_url("**/search.html?*")
        collector.start()
        page.evaluate("dispatchEvent(new Event('online'))")
        arrived.wait_for(1, "search")

        page.goto(f"{shop.url}/app.html")
        page.click("text=Small cup")
        page.wait_for_selector("h1:text('cup-1')")
        page.evaluate("liveshelf('identify', 'u1')")
        page.click("text=Add to cart")
        page.goto(f"{shop.url}/thanks.html")
        page.goto("about:blank")
        # Both keys: a partition may be read after the other, and a page that is left sends on its own.
        arrived.wait_for(len(BEFORE_LOGIN) + len(AFTER_LOGIN), *ACTIONS)
    arrived.close()

    anonymous, user = sorted(arrived.by_key, key=lambda key: key == b"u1")
    actions = {
        key: [event for event in events.values() if event["event_type"] != "impression"]
        for key, events in arrived.by_key.items()
    }
    assert what_of(actions[anonymous]) == BEFORE_LOGIN
    assert what_of(actions[user]) == AFTER_LOGIN
    shown = [event for event in arrived.events if event.get("list_id") == "best-sellers" and "position" in event]
    places = {(event["position"], event["item_id"]) for event in shown if event["event_type"] == "impression"}
    assert places == {(n, f"mug-{n + 1}") for n in range(4)}
    assert {event["anonymous_id"].encode() for event in arrived.events} == {anonymous}
    assert len({event["session_id"] for event in arrived.events}) == 1
    assert {event["context"]["device_type"] for event in arrived.events} == {"desktop"}
