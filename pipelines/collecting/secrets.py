"""Write keys and the secrets of webhooks, from the environment or a file of secrets."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.http.keys import Keys, KeySource

KEYS_VARIABLE = "COLLECTOR_WRITE_KEYS"
SHOPIFY_VARIABLE = "SHOPIFY_WEBHOOK_SECRET"
SEGMENT_VARIABLE = "SEGMENT_SHARED_SECRET"
OPEN_SITE = "any"  # the site of every request where no key is asked for
_SOURCE = KeySource(KEYS_VARIABLE, "collector.write_keys_file", "site")


@dataclass(frozen=True)
class Secrets:
    """Write keys, key → site, and what vendors sign with. None is shown by `repr`."""

    write_keys: Keys = field(default_factory=Keys)
    shopify: str = field(default="", repr=False)
    segment: str = field(default="", repr=False)


def read_secrets(environment: Mapping[str, str], write_keys_file: Path | None) -> Secrets:
    """Read what the variables and the file give. Raises ConfigError, without showing a key, for what is no `site:key`."""
    keys = _SOURCE.read(environment, write_keys_file)
    return Secrets(keys, environment.get(SHOPIFY_VARIABLE, ""), environment.get(SEGMENT_VARIABLE, ""))


def is_signed_by_segment(body: bytes, signature: str, secret: str) -> bool:
    """Whether `signature` (the header X-Signature) is Segment's of this body: HMAC-SHA1, hexadecimal."""
    expected = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.lower().encode())
