"""Protobuf in Confluent's wire format → JSON text, in Python on the executors (docs/adr/0006-avro-through-json.md)."""

import base64
import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from google.protobuf import (  # those named *_pb2 put the files that any schema may import into the pool of all
    any_pb2,  # noqa: F401
    descriptor_pool,
    duration_pb2,  # noqa: F401
    json_format,
    message_factory,
    struct_pb2,  # noqa: F401
    timestamp_pb2,  # noqa: F401
    unknown_fields,
    wrappers_pb2,  # noqa: F401
)
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError, Message
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import arrow_udf

from pipelines.errors import SchemaError
from pipelines.events.parse import MAX_PARSED_BYTES, TEXT
from pipelines.events.wire import HEADER_BYTES, Definitions

_Schemas = tuple[tuple[int, tuple[tuple[str, str], ...]], ...]
_MAX_VARINT_BITS = 64


def with_protobuf_text(records: DataFrame, schemas: Mapping[int, Definitions]) -> DataFrame:
    """Add TEXT: the Protobuf event in `value` as JSON, with the fields that were set, by the names in the schema.

    In:   Kafka's columns; schema id → its definitions, each a FileDescriptorProto in base64.
    Out:  TEXT is null where `value` is null or too large, has another id, names no message of its schema, or does not fit
          it: cut inside a field, a field that the schema does not have, not UTF-8. A field that was not set is left out;
          so is one without presence (proto3 without `optional`) that is 0 or empty: it is not in the bytes.
    Raises SchemaError for a schema that cannot be used.
    """
    known = tuple((schema_id, tuple(definitions)) for schema_id, definitions in schemas.items())
    _decoder(known)  # here, too, so that a schema that cannot be used is refused at start

    def protobuf_text(values: Iterator[pa.Array]) -> Iterator[pa.Array]:
        decode = _decoder(known).text
        for some in values:
            yield pa.array([decode(value) for value in some.to_pylist()], pa.string())

    in_python = arrow_udf(protobuf_text, returnType="string")  # type: ignore[call-overload]  # its kind: see the hints
    value = F.when(F.octet_length("value") <= MAX_PARSED_BYTES, F.col("value"))
    return records.select("*", in_python(value).alias(TEXT))


class ProtobufDecoder:
    """Decodes values of the given schemas. Raises SchemaError for one that cannot be used."""

    def __init__(self, schemas: Mapping[int, Definitions]) -> None:
        self._files = {schema_id: _File(definitions) for schema_id, definitions in schemas.items()}

    def text(self, value: bytes | None) -> str | None:
        """The event as JSON; None where `with_protobuf_text` says so."""
        if value is None or len(value) <= HEADER_BYTES or value[0] != 0:
            return None
        file = self._files.get(int.from_bytes(value[1:HEADER_BYTES], "big"))
        try:
            return json.dumps(_fields_of(file.message_in(value[HEADER_BYTES:]))) if file else None
        except (DecodeError, ValueError, LookupError, json_format.Error):  # all that damaged bytes may bring about
            return None


class _File:
    """One schema: a file of messages, in a pool with what it imports."""

    def __init__(self, definitions: Definitions) -> None:
        self._pool = descriptor_pool.DescriptorPool()
        for name, definition in definitions:
            self._file = FileDescriptorProto.FromString(base64.b64decode(definition))
            self._file.name = name or "event.proto"
            self._add(self._file)

    def _add(self, file: FileDescriptorProto) -> None:
        for name in file.dependency:
            if name.startswith("google/protobuf/") and not self._has(name):
                self._add(_well_known(name))
        try:
            self._pool.AddSerializedFile(file.SerializeToString())
        except TypeError as error:
            raise SchemaError(f"it cannot be read: {error}") from error

    def _has(self, name: str) -> bool:
        try:
            self._pool.FindFileByName(name)
        except KeyError:
            return False
        return True

    def message_in(self, rest: bytes) -> Message:
        """The message behind the header: first the path to its type, then its fields."""
        path, start = _path_and_length(rest)
        kind: DescriptorProto = self._file.message_type[path[0]]
        names = [self._file.package, kind.name]
        for index in path[1:]:
            kind = kind.nested_type[index]
            names.append(kind.name)
        descriptor = self._pool.FindMessageTypeByName(".".join(name for name in names if name))
        message: Message = message_factory.GetMessageClass(descriptor).FromString(rest[start:])
        return message


@lru_cache(maxsize=4)  # a worker process lives longer than a task
def _decoder(schemas: _Schemas) -> ProtobufDecoder:
    return ProtobufDecoder(dict(schemas))


def _well_known(name: str) -> FileDescriptorProto:
    file = FileDescriptorProto()
    try:
        descriptor_pool.Default().FindFileByName(name).CopyToProto(file)
    except KeyError as error:
        raise SchemaError(f"it imports {name}, which is not known here") from error
    return file


def _path_and_length(rest: bytes) -> tuple[list[int], int]:
    """(Indices from the file down to the message's type, bytes that they took); a lone zero is the first message."""
    n_indices, at = _zigzag(rest, 0)
    path = []
    for _ in range(n_indices):
        index, at = _zigzag(rest, at)
        path.append(index)
    if any(index < 0 for index in (n_indices, *path)):
        raise ValueError("an index is negative")
    return path or [0], at


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    """(Number, where the next one begins). Raises IndexError where the bytes end, ValueError where they do not."""
    number = 0
    for shift in range(0, _MAX_VARINT_BITS, 7):
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
    raise ValueError("a number that does not end")


def _fields_of(message: Message) -> dict[str, object]:
    # The schema is the writer's, so a field that it does not have was never written: the bytes are damaged.
    if len(unknown_fields.UnknownFieldSet(message)):
        raise ValueError("a field that the schema does not have")
    return {field.name: _value_of(field, value) for field, value in message.ListFields()}


def _value_of(field: Any, value: Any) -> object:
    if field.message_type and field.message_type.GetOptions().map_entry:
        kind = field.message_type.fields_by_name["value"]
        return {key: _single_value_of(kind, value[key]) for key in value}
    if field.is_repeated:
        return [_single_value_of(field, one) for one in value]
    return _single_value_of(field, value)


def _single_value_of(field: Any, value: Any) -> object:
    if isinstance(value, Message):
        return _well_known_value(value) if field.message_type.file.package == "google.protobuf" else _fields_of(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float):
        shortest = float(str(np.float32(value))) if field.type == FieldDescriptor.TYPE_FLOAT else value
        return shortest if math.isfinite(value) else json.dumps(value)  # "NaN", as a text
    if field.enum_type:
        named = field.enum_type.values_by_number.get(value)
        return named.name if named else value
    return value


def _well_known_value(message: Any) -> object:
    """Timestamps as ISO 8601, wrappers as what they wrap, the others as Protobuf's own JSON has them."""
    if message.DESCRIPTOR.file.name.endswith("wrappers.proto"):
        return _single_value_of(message.DESCRIPTOR.fields_by_name["value"], message.value)
    return json_format.MessageToDict(message)
