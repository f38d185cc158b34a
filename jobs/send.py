"""Send one event, to see that it arrives: through the collector, or straight to Kafka.

\b
    liveshelf send product_view --user u42 --item mug-12
    liveshelf send add_to_cart --visitor a1 --item mug-12 --quantity 2 --price 14.90 --currency EUR
    liveshelf send search --visitor a1 --query "tea pot"
    liveshelf send identify --visitor a1 --user u42
    liveshelf send --json '{"event_type": "page_view", "anonymous_id": "a1", "shelf": 3}'
    echo '{"event_type": "page_view"}' | liveshelf send --json -

\b
Writes  the collector's POST /v1/events; with --kafka the Kafka topic, as it is: what a rule refuses is quarantined later

EVENT_TYPE: page_view, product_view, click, search, add_to_cart, remove_from_cart, purchase, impression, identify.
An event without an id, a time or a visitor gets them. The exit code is 0 where it was accepted.
"""

import json
import os
import sys
import uuid
from datetime import datetime, timezone
from typing import Any

import click
import requests

from jobs._kafka import open_kafka_sink
from jobs._options import Config, config_option
from pipelines.errors import InputError, ServerError
from pipelines.events.logs import KafkaRecord
from pipelines.schemas import EVENT_TYPES

KEY_VARIABLE, KEYS_VARIABLE = "COLLECTOR_WRITE_KEY", "COLLECTOR_WRITE_KEYS"  # of this command; of the collector
TIMEOUT_SECONDS = 30.0  # longer than the collector waits for Kafka
Event = dict[str, Any]


@click.command(help=__doc__)
@click.argument("event_type", type=click.Choice(EVENT_TYPES), required=False, metavar="[EVENT_TYPE]")
@click.option("--user", "user_id", help="The known user.")
@click.option(
    "--visitor", "anonymous_id", help="The visitor before login.  [default: send-test, where there is no --user]"
)
@click.option("--item", "item_id", help="The product.")
@click.option("--quantity", type=int, help="Pieces.")
@click.option("--price", type=float, help="Per piece.")
@click.option("--currency", help="Three capital letters: EUR.")
@click.option("--query", help="What was searched.")
@click.option("--list", "list_id", help="The list that led to the item.")
@click.option("--position", type=int, help="The rank in that list, from 0.")
@click.option(
    "--json", "text", help="The whole event as JSON; '-' reads it from the standard input. Options win over it."
)
@click.option("--url", help="Address of the collector.  [default: collector.host and collector.port]")
@click.option(
    "--key", envvar=KEY_VARIABLE, show_envvar=True, help=f"Write key.  [default: the first of {KEYS_VARIABLE}]"
)
@click.option("--kafka", is_flag=True, help="Straight to Kafka: the collector does not see it.")
@config_option
def main(config: Config, text: str | None, url: str | None, key: str | None, kafka: bool, **fields: Any) -> None:
    event = _event(text, {name: value for name, value in fields.items() if value is not None})
    click.echo(json.dumps(event, ensure_ascii=False))
    if kafka:
        _send_to_kafka(config, event)
    else:
        _send_to_collector(url or f"http://{config.collector.host}:{config.collector.port}", key or _first_key(), event)
    click.echo(f"then: liveshelf show event {event['event_id']}")


def _event(text: str | None, given: Event) -> Event:
    """Raises InputError where there is no event in what was given."""
    event = {**(_parsed(text) if text else {}), **given}
    if "event_type" not in event:
        raise InputError(f"which event? One of {', '.join(EVENT_TYPES)}: liveshelf send product_view --item mug-12")
    if "user_id" not in event:
        event.setdefault("anonymous_id", "send-test")
    made = {
        "event_id": f"send-{uuid.uuid4()}",
        "event_time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
    }
    return {**made, **event}


def _parsed(text: str) -> Event:
    source = sys.stdin.read() if text == "-" else text
    try:
        event = json.loads(source)
    except ValueError as error:
        raise InputError(f"--json: is not JSON: {error}") from error
    if not isinstance(event, dict):
        raise InputError(f"--json: expected one event, an object, got {type(event).__name__}")
    return event


def _first_key() -> str:
    return os.environ.get(KEYS_VARIABLE, "").split(",")[0].partition(":")[2]


def _send_to_collector(url: str, key: str, event: Event) -> None:
    """Raises ServerError where no collector answers or it takes nothing, InputError where it rejects the event."""
    address = f"{url.rstrip('/')}/v1/events"
    try:
        response = requests.post(address, json=event, headers={"X-Write-Key": key}, timeout=TIMEOUT_SECONDS)
    except requests.Timeout as error:
        raise ServerError(f"{address} does not answer within {TIMEOUT_SECONDS:g} s") from error
    except requests.ConnectionError as error:
        raise ServerError(
            f"nothing listens at {url}: start `liveshelf collect_events`, or give its address with --url; straight to Kafka: "
            "--kafka"
        ) from error
    except requests.RequestException as error:
        raise InputError(f"--url {url}: {error}") from error
    verdict = _verdict(address, response)
    if not response.ok:
        raise ServerError(_refusal(response, verdict))
    for fault in verdict.get("rejected", []):
        raise InputError(f"rejected: {fault['field'] or 'the event'}: {fault['reason']}")
    if verdict.get("dropped"):
        click.echo("dropped: it says that the visitor does not consent (collector.without_consent)")
        sys.exit(1)
    click.echo(f"accepted by {address}: Kafka has it, with the key of {event.get('user_id') or event['anonymous_id']}")


def _verdict(address: str, response: requests.Response) -> dict[str, Any]:
    try:
        verdict = response.json()
    except ValueError:
        verdict = None
    if not isinstance(verdict, dict) or not {"accepted", "error"} & verdict.keys():
        raise ServerError(f"{address} answers {response.status_code}, but not as a collector does: see --url")
    return verdict


def _refusal(response: requests.Response, verdict: dict[str, Any]) -> str:
    hint = {
        401: f"; give the key with --key, or in the variable {KEY_VARIABLE}",
        429: "; it wants fewer events",
        503: f"; try again in {response.headers.get('Retry-After', 'some')} seconds",
    }.get(response.status_code, "")
    return f"not taken ({response.status_code}): {verdict.get('error', 'no reason given')}{hint}"


def _send_to_kafka(config: Config, event: Event) -> None:
    user = event.get("user_id") or event.get("anonymous_id")
    with open_kafka_sink(config) as sink:
        sink.send(KafkaRecord(str(user).encode(), json.dumps(event, ensure_ascii=False).encode()))
        sink.flush()
    click.echo(
        f"sent to topic {config.kafka.topic}, with the key of {user}: Kafka has it; no rule has looked at it yet"
    )


if __name__ == "__main__":
    main()
