"""Events as a producer with Protobuf writes them: dynamic messages of a schema that is built here."""

import base64
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory, struct_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

KINDS = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
TIMESTAMP = ".google.protobuf.Timestamp"
FIELDS = {
    **dict.fromkeys(("event_id", "event_type", "user_id", "anonymous_id", "session_id"), "string"),
    "event_time": TIMESTAMP,
    "item_id": "string",
    "quantity": "int64",
    "price": "double",
    **dict.fromkeys(("currency", "query", "list_id"), "string"),
    "position": "int32",
    "context": ".shop.Context",
}
_BUILT_IN = (timestamp_pb2, struct_pb2, wrappers_pb2)


def a_file(repeated: tuple[str, ...] = (), **fields: str) -> FileDescriptorProto:
    """shop.Event, with `fields` changed or added; shop.Context; shop.Other, with shop.Other.Inner; an enum. proto3."""
    file = FileDescriptorProto(name="", package="shop", syntax="proto3")
    file.dependency.extend(module.DESCRIPTOR.name for module in _BUILT_IN)
    status = file.enum_type.add(name="Status")
    for number, name in enumerate(("NEW", "OLD")):
        status.value.add(name=name, number=number)
    _message(file.message_type.add(name="Event"), FIELDS | fields, repeated)
    _message(file.message_type.add(name="Context"), dict.fromkeys(("device_type", "page_url"), "string"))
    other = file.message_type.add(name="Other")
    _message(other, {"event_id": "string"})
    _message(other.nested_type.add(name="Inner"), {"inner_id": "string"})
    return file


def _message(message: Any, fields: dict[str, str], repeated: tuple[str, ...] = ()) -> None:
    """Every field that is not repeated is `optional`, so that 0 and the empty text are sent."""
    for number, (name, kind) in enumerate(fields.items(), 1):
        field = message.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
        if kind in KINDS:
            field.type = KINDS[kind]
        else:
            field.type_name = kind
            is_enum = kind == ".shop.Status"
            field.type = FieldDescriptorProto.TYPE_ENUM if is_enum else FieldDescriptorProto.TYPE_MESSAGE
        if name in repeated:
            field.label = FieldDescriptorProto.LABEL_REPEATED
        elif field.type != FieldDescriptorProto.TYPE_MESSAGE:
            field.proto3_optional = True
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{name}")


def with_map(file: FileDescriptorProto, name: str) -> FileDescriptorProto:
    """Add map<string, int64> `name` to shop.Event."""
    event = file.message_type[0]
    entry = event.nested_type.add(name="Entry")
    entry.options.map_entry = True
    for number, (part, kind) in enumerate({"key": "string", "value": "int64"}.items(), 1):
        label = FieldDescriptorProto.LABEL_OPTIONAL
        entry.field.add(name=part, number=number, type=KINDS[kind], label=label)
    event.field.add(
        name=name,
        number=len(event.field) + 1,
        label=FieldDescriptorProto.LABEL_REPEATED,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=".shop.Event.Entry",
    )
    return file


def in_base64(file: FileDescriptorProto) -> str:
    return base64.b64encode(file.SerializeToString()).decode()


def encoded(file: FileDescriptorProto, event: dict, message: str = "shop.Event") -> bytes:
    pool = descriptor_pool.DescriptorPool()
    for module in _BUILT_IN:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    named = FileDescriptorProto()
    named.CopyFrom(file)
    named.name = "a.proto"
    pool.AddSerializedFile(named.SerializeToString())
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(message))
    return json_format.ParseDict(event, kind()).SerializeToString()


def protobuf_value(schema_id: int, file: FileDescriptorProto, event: dict) -> bytes:
    return b"\x00" + schema_id.to_bytes(4, "big") + b"\x00" + encoded(file, event)
