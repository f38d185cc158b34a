"""Write keys and the secrets of webhooks: from the environment or a file of secrets, compared in constant time."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import ConfigError

KEYS_VARIABLE = "COLLECTOR_WRITE_KEYS"
SHOPIFY_VARIABLE = "SHOPIFY_WEBHOOK_SECRET"
SEGMENT_VARIABLE = "SEGMENT_SHARED_SECRET"
MIN_CHARACTERS = 16
OPEN_SITE = "any"  # the site of every request where no key is asked for


@dataclass(frozen=True)
class Secrets:
    """Write keys, key → site, and what vendors sign with. None is shown by `repr`."""

    write_keys: Mapping[bytes, str] = field(default_factory=dict, repr=False)
    shopify: str = field(default="", repr=False)
    segment: str = field(default="", repr=False)

    def site_of(self, key: str) -> str | None:
        """Return the site whose key this is. Takes as long for a wrong key as for a right one."""
        site, given = None, key.encode()
        for known, name in self.write_keys.items():
            if hmac.compare_digest(known, given):
                site = name
        return site

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.write_keys.values()))


def read_secrets(environment: Mapping[str, str], write_keys_file: Path | None) -> Secrets:
    """Read what the variables and the file give. Raises ConfigError, without showing a key, for what is no `site:key`."""
    given = environment.get(KEYS_VARIABLE, "").split(",")
    pairs = [(f"the variable {KEYS_VARIABLE}, entry {n}", text) for n, text in enumerate(given, 1)]
    if write_keys_file is not None:
        pairs += [(f"{write_keys_file}, line {n}", text) for n, text in enumerate(_lines(write_keys_file), 1)]
    keys = dict(_parse(where, text.strip()) for where, text in pairs if text.strip() and not text.startswith("#"))
    return Secrets(keys, environment.get(SHOPIFY_VARIABLE, ""), environment.get(SEGMENT_VARIABLE, ""))


def is_signed_by_segment(body: bytes, signature: str, secret: str) -> bool:
    """Whether `signature` (the header X-Signature) is Segment's of this body: HMAC-SHA1, hexadecimal."""
    expected = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.lower().encode())


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); collector.write_keys_file names it, with `site:key` a line"
        ) from error


def _parse(where: str, text: str) -> tuple[bytes, str]:
    site, _, key = text.partition(":")
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", site) or not key:
        raise ConfigError(
            f"{where}: expected site:key, the site being letters, digits and . _ - (what came is not shown)"
        )
    if not re.fullmatch(rf"[!#-+.-~-]{{{MIN_CHARACTERS},256}}", key):
        raise ConfigError(
            f"{where}: the key of site '{site}' has {len(key)} characters: expected {MIN_CHARACTERS} to 256, without blanks, "
            "commas and quotes. One is made by: python -c 'import secrets; print(secrets.token_urlsafe(24))'"
        )
    return key.encode(), site
