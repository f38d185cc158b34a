"""docs/tables.md, made from the contract.

python -m tests.docs.tables        writes it anew
"""

from pathlib import Path

from pyspark.sql.types import StructType

from pipelines.schemas import PARTITION_COLUMNS, TABLES

PAGE = Path(__file__).parents[2] / "docs/tables.md"
HEAD = """# The tables in Delta

Made from `pipelines/schemas.py`. All times are UTC. Optional fields of the configuration (`events.optional_fields`) are
further columns of `events`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(name, schema) for name, schema in TABLES.items())])


def _section(name: str, schema: StructType) -> str:
    column = PARTITION_COLUMNS.get(name)
    lines = [
        f"## {name}",
        "",
        *([f"Partitioned by `{column}`.", ""] if column else []),
        "| column | type | meaning |",
        "|---|---|---|",
    ]
    lines += [f"| `{f.name}` | {f.dataType.simpleString()} | {f.metadata.get('comment', '')} |" for f in schema]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
