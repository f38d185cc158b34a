"""What the collector may be told: where it listens, whom it believes, what it refuses, what may wait for Kafka."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from pipelines.section import Section

MAX_RECORD_BYTES = 1_048_576  # of one event: the rules put larger ones aside


class CollectorConfig(Section):
    """The HTTP service that takes events to Kafka. Write keys: the variable COLLECTOR_WRITE_KEYS, or `write_keys_file`."""

    host: str = Field(
        "127.0.0.1", description="address to listen on; 0.0.0.0: all, for a machine behind a load balancer"
    )
    port: int = Field(8380, ge=0, le=65_535, description="port to listen on; 0: a free one, which is told")
    workers: int = Field(1, ge=1, le=64, description="processes that answer; one uses about one core")
    require_write_key: bool = Field(True, description="false: anyone who reaches the port may send events")
    write_keys_file: Path | None = Field(
        None, description="file of secrets, `site:key` a line, several of a site while one is replaced; read at start"
    )
    allowed_origins: tuple[str, ...] = Field(
        (),
        description="origins whose pages may send events, such as https://shop.example; 'null' of a sandbox, '*' for all",
    )
    respect_do_not_track: bool = Field(
        True,
        description="the headers DNT: 1 and Sec-GPC: 1 count as consent refused, as `consent: false` of an event does",
    )
    without_consent: Literal["drop_ids", "drop_event"] = Field(
        "drop_ids",
        description="of an event without consent: drop_ids keeps what was done and to which item, by nobody in particular",
    )
    country_header: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9-]+$",
        description="header in which the CDN tells the country, such as CF-IPCountry; set it only where no client can",
    )
    max_body_bytes: int = Field(1_000_000, ge=1_000, le=MAX_RECORD_BYTES, description="of a request, also unpacked")
    max_events: int = Field(500, ge=1, le=10_000, description="in one request")
    max_depth: int = Field(16, ge=2, le=200, description="of JSON inside JSON, the event itself being the first")
    body_timeout_seconds: float = Field(10.0, gt=0, description="a request that is not there by then is given up")
    max_reading_bytes: int = Field(
        67_108_864, ge=1_000_000, description="of all requests that are being read or checked at once; more get a 503"
    )
    max_connections: int = Field(2_000, ge=1, description="of one worker; more get a 503")
    events_per_minute: int = Field(
        1_200_000,
        ge=1,
        description="of each write key; more get a 429. Workers share it evenly, and count each for itself",
    )
    max_pending_events: int = Field(50_000, ge=1, description="that wait for Kafka, a worker; more get a 503")
    max_pending_bytes: int = Field(67_108_864, ge=2_000_000, description="the same in bytes")
    delivery_timeout_seconds: float = Field(
        20.0, ge=1, le=600, description="how long an event waits for Kafka before its request gets a 503"
    )
    retry_after_seconds: int = Field(5, ge=1, le=3_600, description="what a 503 tells the client to wait")
    linger_ms: int = Field(5, ge=0, le=1_000, description="how long a batch for Kafka waits for company")

    @field_validator("allowed_origins")
    @classmethod
    def _whole_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin not in ("*", "null") and not re.fullmatch(r"https?://[^/\s]+", origin):  # null: a sandboxed page
                raise ValueError(
                    f"'{origin}': an origin is scheme and host, such as https://shop.example; 'null' (of a sandbox), or '*'"
                )
        return origins
