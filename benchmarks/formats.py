"""What Avro and Protobuf cost beside JSON: the same events, from their bytes to the columns that the rules look at.

.venv/bin/python -m benchmarks.formats
"""

import base64
import json
import time

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import to_avro

from benchmarks.results import publish
from jobs._spark import job_session
from pipelines.events.extra import with_extra_fields
from pipelines.events.parse import parse_records
from pipelines.events.protobuf import with_protobuf_text
from pipelines.events.wire import Definitions, header_of, with_avro_text

N_EVENTS = 200_000
ROUNDS = 5
VERSIONS = 10  # of the Avro schema, all alike: what a topic with a history costs
EVENT: dict[str, str | int | float] = {
    "event_id": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "event_type": "add_to_cart",
    "user_id": "user-00933",
    "anonymous_id": "visitor-118",
    "session_id": "session-7781",
    "event_time": "2024-06-01T11:59:58.250Z",
    "item_id": "item-4711",
    "quantity": 2,
    "price": 12.5,
    "currency": "EUR",
    "position": 3,
}


def main() -> None:
    spark = job_session("benchmark-formats")
    avro, protobuf = _in_avro(spark), b"\x00" + _in_protobuf()
    versions = dict.fromkeys(range(1, VERSIONS + 1), _AVRO)
    cases = {
        "json": _records(spark, json.dumps(EVENT).encode()),
        "avro": with_avro_text(_records(spark, header_of(1) + avro), {1: _AVRO}),
        f"avro_{VERSIONS}_versions": with_avro_text(_records(spark, header_of(1) + avro), versions),
        "protobuf": with_protobuf_text(_records(spark, header_of(1) + protobuf), {1: _PROTOBUF}),
    }
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):  # in turns: what else the machine does falls on all of them
        for name, records in cases.items():
            seconds[name].append(_seconds(with_extra_fields(parse_records(records))))
    best = {name: min(taken) for name, taken in seconds.items()}
    figures = {f"{name}_events_per_second": N_EVENTS / taken for name, taken in best.items()}
    figures |= {f"{name}_to_json_ratio": taken / best["json"] for name, taken in best.items() if name != "json"}
    publish("formats", figures, {})
    spark.stop()


def _avro_schema() -> str:
    kinds = {str: "string", int: "int", float: "double"}
    fields = [{"name": name, "type": kinds[type(value)]} for name, value in EVENT.items()]
    return json.dumps({"type": "record", "name": "Event", "fields": fields})


_AVRO: Definitions = (("", _avro_schema()),)


def _in_avro(spark: SparkSession) -> bytes:
    event = F.struct(*[F.lit(value).alias(name) for name, value in EVENT.items()])
    row = spark.range(1).select(to_avro(event, _avro_schema()).alias("value")).first()
    assert row is not None
    return bytes(row["value"])


def _file() -> FileDescriptorProto:
    kinds = {
        str: FieldDescriptorProto.TYPE_STRING,
        int: FieldDescriptorProto.TYPE_INT64,
        float: FieldDescriptorProto.TYPE_DOUBLE,
    }
    file = FileDescriptorProto(name="event.proto", syntax="proto3")
    event = file.message_type.add(name="Event")
    for number, (name, value) in enumerate(EVENT.items(), 1):
        event.field.add(name=name, number=number, type=kinds[type(value)], label=FieldDescriptorProto.LABEL_OPTIONAL)
    return file


_PROTOBUF: Definitions = (("", base64.b64encode(_file().SerializeToString()).decode()),)


def _in_protobuf() -> bytes:
    pool = DescriptorPool()
    pool.AddSerializedFile(_file().SerializeToString())
    event = message_factory.GetMessageClass(pool.FindMessageTypeByName("Event"))()
    return json_format.ParseDict(EVENT, event).SerializeToString()


def _records(spark: SparkSession, value: bytes) -> DataFrame:
    kafka = {
        "key": F.lit(b"user-00933"),
        "value": F.lit(value),
        "topic": F.lit("t"),
        "partition": F.lit(0),
        "offset": F.col("id"),
        "timestamp": F.lit("2024-06-01T12:00:00Z").cast("timestamp"),
    }
    rows = spark.range(0, N_EVENTS, numPartitions=1).select([column.alias(name) for name, column in kafka.items()])
    return rows.localCheckpoint()  # else Spark would see that all values are the same one, and parse it once


def _seconds(frame: DataFrame) -> float:
    started = time.monotonic()
    frame.write.format("noop").mode("overwrite").save()
    return time.monotonic() - started


if __name__ == "__main__":
    main()
