"""docs/tables.md, made from the contract and from the definitions of the features.

python -m tests.docs.tables        writes it anew
"""

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql.types import StructType

from pipelines.features.definitions import Definitions, load_definitions
from pipelines.features.tables import table_name, table_path, table_schema
from pipelines.schemas import PARTITION_COLUMNS, TABLES
from pipelines.sinks.feature_tables import BATCH_ID

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs/tables.md"
HEAD = """# The tables in Delta

Made from `pipelines/schemas.py` and `conf/features.yaml`. All times are UTC. Optional fields of the configuration
(`events.optional_fields`) are further columns of `events`. [queries.md](queries.md) asks the tables some questions.
"""
FEATURES_HEAD = """# The feature tables

One current row per key, clustered by the keys. All values of a row are as of its `as_of`: [features.md](features.md).
Columns that begin with `__` are the states that later events are merged into.
"""


def page() -> str:
    """The whole page."""
    definitions = load_definitions(PROJECT / "conf/features.yaml")
    contract = [_section(name, schema, _partitioned(name)) for name, schema in TABLES.items()]
    features = [_of_features(definitions, entity) for entity in definitions.entities if definitions.of(entity)]
    return "\n".join([HEAD, *contract, FEATURES_HEAD, *features])


def _partitioned(name: str) -> Sequence[str]:
    return [f"Partitioned by `{PARTITION_COLUMNS[name]}`.", ""] if name in PARTITION_COLUMNS else []


def _of_features(definitions: Definitions, entity: str) -> str:
    schema = StructType([*table_schema(definitions, entity).fields, BATCH_ID])
    return _section(table_name(entity), schema, [f"`{{lake_root}}/{table_path(definitions, entity)}`", ""])


def _section(name: str, schema: StructType, about: Sequence[str]) -> str:
    lines = [f"## {name}", "", *about, "| column | type | meaning |", "|---|---|---|"]
    lines += [f"| `{f.name}` | {f.dataType.simpleString()} | {f.metadata.get('comment', '')} |" for f in schema]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
