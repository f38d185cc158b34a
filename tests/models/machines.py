"""A factorization machine in the middle of its life: items of every standing, and parameters that are not zero."""

import numpy as np

from pipelines.model_sections import ModelConfig
from pipelines.models.arrays import Arrays
from pipelines.models.factorization.examples import Negatives, draw_negatives
from pipelines.models.factorization.machine import FactorizationMachine
from pipelines.models.factorization.tables import BY_ITEM, UNKNOWN
from pipelines.models.model import Model
from tests.models.builders import DAY_S, a_batch, learned
from tests.models.textbook import Tables, Textbook

FACTS = {1: (11, 21), 2: (12, 0), 3: (0, 22), 4: (11, 22), 5: (0, 0), 6: (13, 23), 7: (12, 21), 8: (13, 0)}
ADMITTED, NOT_ADMITTED = (1, 2, 3, 4, 5, 6), (7, 8)


def a_machine(config: ModelConfig, seed: int = 5) -> Model:
    """Six admitted items and two that are not, the most popular first; all parameters are random."""
    old = [(100 + item, DAY_S * item, "click", item) for item in FACTS]
    old += [(200 + item, DAY_S * item - 60, "purchase" if item < 3 else "click", item) for item in ADMITTED]
    model = learned(a_batch(*old, facts=FACTS), config=config)
    random = np.random.default_rng(seed)
    for name, table in machine_of(model).tables.items():
        table.values[:] = random.normal(0, 0.5, table.values.shape)
        table.accumulator[:] = random.uniform(0.1, 2.0, table.accumulator.shape)
        if name in BY_ITEM:
            table.values[~model.items.is_admitted] = 0
        elif name != "term":
            table.values[UNKNOWN] = 0
    return model


def machine_of(model: Model) -> FactorizationMachine:
    assert isinstance(model.scorer, FactorizationMachine)
    return model.scorer


def textbook_of(model: Model) -> Textbook:
    """The same model, as it is now, in float64."""
    tables = {name: table.values.astype(np.float64) for name, table in machine_of(model).tables.items()}
    return Textbook(model.config, model.items, tables)


def negatives_of(model: Model, seed: int) -> Negatives:
    """What the gradient of this seed draws."""
    fm = model.config.factorization
    return draw_negatives(model.items, fm.negatives, fm.negatives_exponent, np.random.default_rng(seed))


def dense(model: Model, told: Arrays) -> Tables:
    """The gradient that a task tells, by table; rows it does not name are 0."""
    out: Tables = {}
    for name, table in machine_of(model).tables.items():
        out[name] = np.zeros(table.values.shape)
        row = model.find(told[f"{name}.row"]) if name in BY_ITEM else told[f"{name}.row"]
        out[name][row] = told[f"{name}.gradient"].reshape(-1, table.n_dimensions)
    return out
