"""The model as any MLflow client can call it: a table of histories in, a list for each out (docs/mlflow.md)."""

from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.pyfunc import save_model
from mlflow.pyfunc.model import PythonModel
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import Array

from pipelines import __version__
from pipelines.lists.selection import top_n
from pipelines.model_sections import ModelConfig
from pipelines.models.kinds import from_bytes
from pipelines.models.model import Model
from pipelines.tracking.history_table import AS_OF, EVENT_TYPES, ITEMS, TIMES, histories

DATA, CONFIG = "model.arrow", "config.json"
N_ITEMS = 10
REQUIRED = ("mlflow", "numpy", "pandas", "pyarrow", "pydantic", "pyspark")
HISTORY = {ITEMS: DataType.string, EVENT_TYPES: DataType.string, TIMES: DataType.long}
CODE = "pyfunc_code.py"


class RankerModel(PythonModel):
    """Ranks the catalogue for the users of a table, with the model's bytes and nothing else."""

    model: Model

    def load_context(self, context: Any) -> None:
        """Read the model; MLflow calls this once."""
        config = ModelConfig.model_validate_json(Path(context.artifacts["config"]).read_text(encoding="utf-8"))
        self.model = from_bytes(config, Path(context.artifacts["model"]).read_bytes())

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """One row for each row: `user`, `items` best first, and their `scores`, comparable within the row.

        A row is a user as of `as_of_ms`, or of their newest interaction where that is missing. The three history columns are
        lists of equal length, in any order. Items that the model does not know say nothing, nor does what is later than
        `as_of_ms`. The columns of `model.context_fields`, here `device` and the like, may be missing.

        Raises InputError when a history has lists of unequal length, or an event type that is none.
        """
        scores = self.model.score(histories(self.model, model_input))
        columns = top_n(scores, int((params or {}).get("n", N_ITEMS)))
        best = np.take_along_axis(scores, columns, axis=1)
        lists = {"items": self.model.item_ids[columns].tolist(), "scores": best.tolist()}
        return pd.DataFrame({"user": model_input["user"].tolist(), **lists})


def save(folder: Path, config: ModelConfig, data: bytes, example_items: Sequence[str]) -> None:
    """Write the model of these bytes to `folder`, which is made, as an MLflow model with all that a server needs of it.

    `example_items` are a few item ids for the input example.
    """
    with TemporaryDirectory() as parts:
        model, described, code = Path(parts, DATA), Path(parts, CONFIG), Path(parts, CODE)
        code.write_bytes(files(__package__).joinpath(CODE).read_bytes())  # of the zip, too, that spark-submit gets
        model.write_bytes(data)
        described.write_text(config.model_dump_json(), encoding="utf-8")
        save_model(
            folder,
            python_model=str(code),
            artifacts={"model": str(model), "config": str(described)},
            signature=signature(config),
            input_example=(input_example(example_items), {"n": 3}),
            pip_requirements=[f"liveshelf=={__version__}", *(f"{name}=={version(name)}" for name in REQUIRED)],
        )


def signature(config: ModelConfig) -> ModelSignature:
    """Columns and parameters that `RankerModel.predict` takes, and columns that it returns."""
    takes: list[ColSpec | TensorSpec] = [ColSpec(DataType.string, "user")]
    takes += [ColSpec(Array(kind), name) for name, kind in HISTORY.items()]
    takes += [ColSpec(DataType.long, AS_OF, required=False)]
    takes += [ColSpec(DataType.string, name, required=False) for name in config.context_fields]
    returns: list[ColSpec | TensorSpec] = [ColSpec(DataType.string, "user"), ColSpec(Array(DataType.string), "items")]
    returns += [ColSpec(Array(DataType.float), "scores")]
    return ModelSignature(Schema(takes), Schema(returns), ParamSchema([ParamSpec("n", DataType.long, N_ITEMS)]))


def input_example(items: Sequence[str]) -> pd.DataFrame:
    """A user who viewed `items`, a minute each, and nobody knows of another."""
    times_ms = [1_767_225_600_000 + 60_000 * minute for minute in range(len(items))]
    known = ("u1", list(items), ["product_view"] * len(items), times_ms)
    return pd.DataFrame([known, ("u2", [], [], [])], columns=["user", *HISTORY])
