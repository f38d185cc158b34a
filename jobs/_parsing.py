"""How the values of the topic become JSON text, as kafka.format says; followed while a stream runs."""

from collections.abc import Callable, Mapping

from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from pipelines.errors import ConfigError, SchemaError
from pipelines.events.protobuf import with_protobuf_text
from pipelines.events.wire import Definitions, with_avro_text
from pipelines.logs.log import log
from pipelines.logs.reasons import short
from pipelines.logs.trouble import Trouble
from pipelines.sections import KafkaConfig
from pipelines.sources.schema_registry import RegisteredSchema, TopicSchemas
from pipelines.streams import Replan

_DECODERS: dict[str, Callable[[DataFrame, Mapping[int, Definitions]], DataFrame]] = {
    "avro": with_avro_text,
    "protobuf": with_protobuf_text,
}


class TopicFormat:
    """What the values of the topic are written in. JSON needs nothing; the others, what the schema registry has.

    Raises ConfigError where no registry is configured, ServerError where it does not answer or has no such subject.
    """

    def __init__(self, kafka: KafkaConfig) -> None:
        self._format = kafka.format
        self._schemas = None if kafka.format == "json" else _schemas_of(kafka)
        self._told: set[tuple[int, str]] = set()
        self._silence = Trouble("registry_failing", "registry_back")

    def with_text(self, records: DataFrame) -> DataFrame:
        """Add the text of each record where it is not the value itself, by the schemas known now.

        A schema that cannot be used is left out and told: its records are quarantined. Raises SchemaError if none is left.
        """
        if self._schemas is None:
            return records
        usable: dict[int, Definitions] = {}
        problems: dict[int, str] = {}
        for schema_id, schema in self._schemas.schemas.items():
            problem = self._problem_of(schema, records)
            if problem:
                problems[schema_id] = problem
            else:
                usable[schema_id] = schema.definitions
        if not usable:
            said = (f"schema {schema_id} cannot be used: {problem}" for schema_id, problem in problems.items())
            raise SchemaError("; ".join(said))
        self._tell(problems)
        return _DECODERS[self._format](records, usable)

    def following(self, plan: Callable[[], DataFrame]) -> Replan:
        """For `start_stream`: `plan` again where there are schemas that the last one did not know.

        A record is sent after its schema was registered, so what a micro-batch holds is known before it begins.
        """
        return lambda: plan() if self._is_outdated() else None

    def _is_outdated(self) -> bool:
        if self._schemas is None:
            return False
        has_news = self._schemas.has_news()
        if failure := self._schemas.failure:
            self._silence.failed(failure)
        else:
            self._silence.over()
        return has_news

    def _problem_of(self, schema: RegisteredSchema, records: DataFrame) -> str | None:
        if schema.kind != self._format.upper():
            return f"it is {schema.kind}, and kafka.format is {self._format}"
        try:
            _DECODERS[self._format](records, {schema.id: schema.definitions})
        except (SchemaError, PySparkException, ValueError) as error:
            return str(error).partition("\n")[0]
        except Py4JJavaError as error:  # what Spark does not translate: Avro's own errors
            return str(error.java_exception)
        return None

    def _tell(self, problems: Mapping[int, str]) -> None:
        for schema_id, problem in problems.items() - self._told:  # once, not at each plan
            self._told.add((schema_id, problem))
            log.warning("schema_unusable", schema_id=schema_id, problem=short(problem))


def _schemas_of(kafka: KafkaConfig) -> TopicSchemas:
    if not kafka.schema_registry_url:
        raise ConfigError(
            f"kafka.format is {kafka.format}, which needs a schema registry: set kafka.schema_registry_url, or "
            "SCHEMA_REGISTRY_URL where it has a password"
        )
    return TopicSchemas(kafka.schema_registry_url, kafka.topic)
