"""A field of a schema: its name, its type, and what it is."""

from pyspark.sql.types import StructField


def field(name: str, kind: object, about: str, nullable: bool = True) -> StructField:
    """Make a field of a schema; `about` is what docs/tables.md says of it."""
    return StructField(name, kind, nullable, {"comment": about})  # type: ignore[arg-type]
