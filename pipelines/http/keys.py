"""Keys of clients: from the environment or a file of secrets, compared in constant time."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import ConfigError

MIN_CHARACTERS = 16


@dataclass(frozen=True)
class Keys:
    """Key → the name it stands for, such as a site. None is shown by `repr`."""

    names_by_key: Mapping[bytes, str] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.names_by_key)

    def name_of(self, key: str) -> str | None:
        """Return the name whose key this is. Takes as long for a wrong key as for a right one."""
        found, given = None, key.encode()
        for known, name in self.names_by_key.items():
            if hmac.compare_digest(known, given):
                found = name
        return found

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.names_by_key.values()))


@dataclass(frozen=True)
class KeySource:
    """Where keys are given, and what a name stands for."""

    variable: str  # of the environment: name:key[,name:key]
    file_setting: str  # key of the configuration that names a file, `name:key` a line
    noun: str  # what a name is: site, reader

    def read(self, environment: Mapping[str, str], file: Path | None) -> Keys:
        """Read variable and file. Raises ConfigError, without showing a key, for what is no `name:key`."""
        given = environment.get(self.variable, "").split(",")
        pairs = [(f"the variable {self.variable}, entry {n}", text) for n, text in enumerate(given, 1)]
        if file is not None:
            pairs += [(f"{file}, line {n}", text) for n, text in enumerate(self._lines(file), 1)]
        texts = [(where, text.strip()) for where, text in pairs if text.strip() and not text.startswith("#")]
        return Keys(dict(self._parse(where, text) for where, text in texts))

    def _lines(self, path: Path) -> list[str]:
        try:
            return path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise ConfigError(
                f"{path}: cannot be read ({error.strerror}); {self.file_setting} names it, with `{self.noun}:key` a line"
            ) from error

    def _parse(self, where: str, text: str) -> tuple[bytes, str]:
        name, _, key = text.partition(":")
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name) or not key:
            raise ConfigError(
                f"{where}: expected {self.noun}:key, the {self.noun} being letters, digits and . _ - (what came is not shown)"
            )
        if not re.fullmatch(rf"[!#-+.-~-]{{{MIN_CHARACTERS},256}}", key):
            raise ConfigError(
                f"{where}: the key of {self.noun} '{name}' has {len(key)} characters: expected {MIN_CHARACTERS} to 256, without "
                "blanks, commas and quotes. One is made by: python -c 'import secrets; print(secrets.token_urlsafe(24))'"
            )
        return key.encode(), name
