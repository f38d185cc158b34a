"""The tables of the lake in DuckDB, for notebooks: without Spark, and read only."""

import os
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, Schema
from pyspark.sql.types import StructType

from pipelines.config import Config, load_config
from pipelines.errors import InputError
from pipelines.features.definitions import Definitions, load_definitions
from pipelines.features.tables import table_name, table_path, table_schema
from pipelines.schemas import TABLES

VARIABLE, DEFAULT = "LIVESHELF_CONFIG", "conf/local.yaml"


class Lake:
    """Every table under its name, the feature tables too; one that was never written to is empty.

    A table stays as it was when the lake was opened; open it again to see what came since.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.definitions: Definitions = load_definitions(config.features.definitions)
        self._duck = duckdb.connect()
        self._duck.execute("SET TimeZone = 'UTC'")
        for name, schema in {**TABLES, "events": config.events.contract.events}.items():
            self._add(name, name, schema)
        for entity in self.definitions.entities:
            if self.definitions.of(entity):
                path, schema = table_path(self.definitions, entity), table_schema(self.definitions, entity)
                self._add(table_name(entity), path, schema)

    def sql(self, query: str, **parameters: Any) -> pd.DataFrame:
        """The rows that `query` gives, `$name` standing for a parameter; times in UTC."""
        return self._duck.execute(query, parameters or None).df()

    def require(self, **jobs: str) -> None:
        """Raise InputError for a table without rows, by name; each stands with the job that fills it."""
        for table, job in jobs.items():
            if not self.sql(f"SELECT 1 FROM {table} LIMIT 1").size:
                raise InputError(f"the table {table} has no rows yet; `liveshelf {job}` fills it")

    def _add(self, name: str, path: str, schema: StructType) -> None:
        path = self.config.table(path)
        rows = DeltaTable(path).to_pyarrow_dataset() if DeltaTable.is_deltatable(path) else _empty(schema)
        self._duck.register(name, rows)


def open_lake(config_path: str | Path | None = None) -> Lake:
    """Open the lake that a configuration names: `config_path`, else the variable LIVESHELF_CONFIG, else conf/local.yaml.

    Relative paths count from the project's folder, into which the process goes. Raises InputError outside of one, and
    where no event was filed yet.
    """
    project = next((folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / DEFAULT).exists()), None)
    if project is None:
        raise InputError(f"no {DEFAULT} here or above {Path.cwd()}: open notebooks from within the project's folder")
    os.chdir(project)
    config = load_config(config_path or os.environ.get(VARIABLE) or DEFAULT)
    if not DeltaTable.is_deltatable(config.table("events")):
        raise InputError(
            f"no events in {config.lake_root} yet. To try: `make demo ARGS=--keep`, then open the notebooks with "
            f"{VARIABLE}=.liveshelf/demo/config.yaml"
        )
    return Lake(config)


def _empty(schema: StructType) -> pa.Table:
    return pa.schema(Schema.from_json(schema.json()).to_arrow()).empty_table()
