"""Who is judged apart: users by what they did before, items by their age, devices."""

from collections.abc import Mapping

import numpy as np

from pipelines.evaluation.figures import ALL
from pipelines.evaluation.holdout import JudgedChoices
from pipelines.evaluation.metrics import Flags
from pipelines.evaluation_sections import EvaluationConfig

NEW_USERS, CASUAL_USERS, HEAVY_USERS = "new_users", "casual_users", "heavy_users"
NEW_ITEMS, NOT_MET, DEVICE = "new_items", "not_met_before", "device:"


def segments_of(
    choices: JudgedChoices, config: EvaluationConfig, device_place: int | None, devices: Mapping[int, str]
) -> dict[str, Flags]:
    """(n,) which choices are in each segment, by name.

    Users are new, casual or heavy by the interactions before the choice: a user may begin as new and end as heavy.
    device_place: of the device among the context fields, None where it is none; devices: hash → name.
    """
    new, heavy = config.new_user_interactions, config.heavy_user_interactions
    before = choices.n_before
    found = {
        ALL: np.ones(len(choices), np.bool_),
        NEW_USERS: before < new,
        CASUAL_USERS: (before >= new) & (before < heavy),
        HEAVY_USERS: before >= heavy,
        NEW_ITEMS: choices.is_new_item,
        NOT_MET: ~choices.is_met,
    }
    if device_place is not None:
        told = choices.context[:, device_place]
        found |= {f"{DEVICE}{name}": told == np.uint64(value) for value, name in devices.items()}
    return found
