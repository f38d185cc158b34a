"""The registry's client against a stand-in that speaks HTTP: what is asked for, what is read, what is said when it fails."""

import json
import socket
import time

import pytest

from jobs._kafka import open_kafka_sink
from jobs._parsing import TopicFormat
from pipelines.config import Config
from pipelines.errors import ConfigError, ServerError
from pipelines.sections import KafkaConfig
from pipelines.sources.schema_registry import SchemaRegistry, TopicSchemas
from tests.formats.avro_events import a_schema
from tests.formats.protobuf_events import a_file, in_base64
from tests.registry import RegistryStandIn, a_registry

SUBJECT = "clickstream-value"


@pytest.fixture
def registry():
    with a_registry() as running:
        yield running


def schemas_of(registry, **settings):
    return TopicSchemas(registry.url, "clickstream", n_retries=0, **settings)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_all_versions_of_the_topics_subject_are_read_with_their_kind(registry):
    first, second = (json.dumps(a_schema(*more)) for more in ((), ({"name": "n", "type": "int"},)))
    ids = [registry.register(SUBJECT, first), registry.register(SUBJECT, second)]
    registry.register("another-value", first)

    read = schemas_of(registry).schemas

    assert [(i, s.kind, s.definitions) for i, s in read.items()] == [
        (ids[0], "AVRO", (("", first),)),
        (ids[1], "AVRO", (("", second),)),
    ]


def test_a_version_that_was_deleted_is_read_for_its_records_may_still_be_there(registry):
    registry.register(SUBJECT, '"first"')
    registry.register(SUBJECT, '"second"')
    registry.deleted.add((SUBJECT, 1))

    assert [s.definitions for s in schemas_of(registry).schemas.values()] == [(("", '"first"'),), (("", '"second"'),)]


def test_a_protobuf_schema_comes_as_a_descriptor(registry):
    registry.register(SUBJECT, in_base64(a_file()), "PROTOBUF")

    (schema,) = schemas_of(registry).schemas.values()

    assert (schema.kind, schema.definitions) == ("PROTOBUF", (("", in_base64(a_file())),))


def test_what_a_schema_refers_to_comes_before_it_each_after_what_it_needs(registry):
    registry.register("city", '"city"')
    registry.register("place", '"place"', references=[{"name": "shop.City", "subject": "city", "version": 1}])
    references = [
        {"name": "shop.Place", "subject": "place", "version": 1},
        {"name": "shop.City", "subject": "city", "version": 1},
    ]
    registry.register(SUBJECT, '"event"', references=references)

    (schema,) = schemas_of(registry).schemas.values()

    assert schema.definitions == (("shop.City", '"city"'), ("shop.Place", '"place"'), ("", '"event"'))


def test_a_new_version_is_news_once_and_only_it_is_read(registry):
    registry.register(SUBJECT, '"first"')
    schemas = schemas_of(registry)
    assert not schemas.has_news()

    registry.register(SUBJECT, '"second"')
    registry.asked.clear()

    assert schemas.has_news()
    assert [path for path in registry.asked if path.endswith("/versions/1")] == []
    assert not schemas.has_news()
    assert [s.definitions for s in schemas.schemas.values()] == [(("", '"first"'),), (("", '"second"'),)]


def test_a_registry_that_went_away_is_no_news_and_is_not_asked_again_at_once(registry):
    registry.register(SUBJECT, '"first"')
    schemas = schemas_of(registry, pause_seconds=0.2)
    registry.register(SUBJECT, '"second"')
    registry.is_down = True

    assert not schemas.has_news()
    assert "503" in str(schemas.failure)
    registry.is_down = False
    registry.asked.clear()
    assert not schemas.has_news()
    assert registry.asked == []
    time.sleep(0.2)
    assert schemas.has_news()
    assert schemas.failure is None


def test_a_registry_that_comes_later_is_waited_for():
    port = free_port()
    with pytest.raises(ServerError, match="does not answer"):
        TopicSchemas(f"http://127.0.0.1:{port}", "clickstream", n_retries=0)

    with a_registry(port=port) as registry:
        registry.register(SUBJECT, '"first"')
        registry.is_down = True
        answer = registry.answer
        tries = []

        def answer_at_the_third_try(*request):
            tries.append(request)
            registry.is_down = len(tries) < 3
            return answer(*request)

        registry.answer = answer_at_the_third_try

        assert len(TopicSchemas(registry.url, "clickstream", n_retries=3).schemas) == 1


def test_a_topic_without_a_subject_is_told_what_was_asked_for(registry):
    registry.register("other-value", '"first"')

    with pytest.raises(ServerError) as raised:
        schemas_of(registry)

    for said in ("no subject clickstream-value", "topic clickstream", registry.url):
        assert said in str(raised.value)


def test_a_password_is_sent_and_never_told():
    with a_registry(password="reader:very secret") as registry:
        registry.register(SUBJECT, '"first"')
        with_password = registry.url.replace("//", "//reader:very%20secret@")

        assert TopicSchemas(with_password, "clickstream", n_retries=0).schemas
        with pytest.raises(ServerError, match="401") as raised:
            TopicSchemas(with_password.replace("very", "not"), "clickstream", n_retries=0)
        assert "secret" not in str(raised.value)


def test_something_else_at_the_address_is_told():
    class Page(RegistryStandIn):
        def answer(self, *_):
            return 404, "page not found"

    page = Page()
    try:
        with pytest.raises(ServerError, match="asked for /subjects/s/versions/1"):
            SchemaRegistry(page.url, n_retries=0).schema("s", 1)
    finally:
        page.close()


def test_a_registry_that_is_not_configured_is_asked_for():
    with pytest.raises(ConfigError, match=r"kafka\.schema_registry_url"):
        TopicFormat(KafkaConfig(format="avro"))


def test_json_is_not_sent_to_a_topic_of_another_format():
    with pytest.raises(ConfigError, match=r"kafka\.format of topic clickstream is avro"):
        open_kafka_sink(Config(kafka=KafkaConfig(format="avro")))
