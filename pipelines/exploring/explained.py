"""A user's list explained, as frames: what `liveshelf explain` prints."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.config import Config
from pipelines.errors import InputError
from pipelines.features.definitions import load_definitions
from pipelines.features.profile_bytes import decode
from pipelines.hot_path.explained import ExplainedList, explain_list
from pipelines.hot_path.worker import StageSettings, Worker

NO_TOPIC = 0  # names of lists apart, nothing depends on it


@dataclass(frozen=True)
class Explained:
    """What is known of one user, from Redis, now."""

    found: ExplainedList
    sums: pd.Series  # the profile's decayed sums by name, as of its newest interaction

    @property
    def history(self) -> pd.DataFrame:
        """The newest interactions, newest first: time (UTC), what, item, and what each weighs for the model."""
        rows = [
            (pd.Timestamp(each.time_s, unit="s", tz="UTC"), each.event_type, each.item_id, each.weight)
            for each in self.found.interactions
        ]
        return pd.DataFrame(rows, columns=["time", "event_type", "item_id", "weight"])

    @property
    def items(self) -> pd.DataFrame:
        """The list, place by place, then what the model likes beside; `place` 0: not in it, and `why` says what kept it out."""
        rows = [
            (item.position, item.item_id, item.rank, item.score, item.why, self._because(item.because))
            for item in self.found.items
        ]
        return pd.DataFrame(rows, columns=["place", "item_id", "rank", "score", "why", "because"])

    def _because(self, causes: tuple[tuple[int, float], ...]) -> str:
        return ", ".join(f"{self.found.causes.get(item, '?')} +{part:.2g}" for item, part in causes)


def explain(config: Config, user: str, n_more: int = 15) -> Explained:
    """Make the list of `user` again by what is in Redis, and say why; `n_more` items beside it.

    `config` names the Redis. Raises InputError where there is no profile of the user.
    """
    online = load_definitions(config.features.definitions).online()
    settings = StageSettings(
        str(config.redis.url), NO_TOPIC, config.profile, config.lists, config.model, online,
        category_separator=config.catalogue.category_separator,
    )  # fmt: skip
    worker = Worker(settings)
    found = explain_list(settings, worker, user, n_more)
    if found is None:
        raise InputError(f"no profile for user '{user}': no interaction of theirs was valid, or it expired")
    (stored,), _ = worker.users.read_with_shown([user], [user])
    sums = decode([stored]).sums[0]
    return Explained(found, pd.Series(np.asarray(sums)[: len(online.names)], index=list(online.names)[: len(sums)]))
