"""A bounded memory: what was used last stays."""

from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """At most `n` values; the one that was not used for longest goes first."""

    def __init__(self, n: int) -> None:
        self._n, self._values = n, OrderedDict[Key, Value]()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Value | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Key, value: Value) -> None:
        values = self._values
        values[key] = value
        values.move_to_end(key)
        if len(values) > self._n:
            values.popitem(last=False)

    def items(self) -> list[tuple[Key, Value]]:
        return list(self._values.items())

    def forget(self, key: Key) -> None:
        self._values.pop(key, None)
