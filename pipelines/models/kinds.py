"""Every kind of ranker by its name in the configuration. A new kind is a Scorer, a line here and its name in `Kind`."""

from collections.abc import Callable

from pipelines.errors import StateError
from pipelines.model_sections import ModelConfig
from pipelines.models.arrays import from_bytes as from_arrow
from pipelines.models.factorization.machine import FactorizationMachine
from pipelines.models.items import Items
from pipelines.models.mixture import Mixture
from pipelines.models.model import CONFIG, Model
from pipelines.models.own_history import OwnHistory
from pipelines.models.popular import Popular
from pipelines.models.scorer import Scorer

KINDS: dict[str, Callable[[ModelConfig], Scorer]] = {
    "factorization": FactorizationMachine.empty,
    "mixture": lambda config: Mixture.empty(
        config, config.mixture.own_history_share, config.mixture.co_occurrence_share
    ),
    "co_occurrence": lambda config: Mixture.empty(config, 0.0, 1.0 - POPULAR_SHARE),
    "own_history": OwnHistory,
    "popularity": lambda _config: Popular(),
}
POPULAR_SHARE = 1e-3  # of popularity beside co-occurrence: it orders what goes with nothing


def empty(config: ModelConfig) -> Model:
    """A ranker of `config.kind` that knows nothing yet."""
    return Model(config, Items.none(config), KINDS[config.kind](config))


def from_bytes(config: ModelConfig, data: bytes) -> Model:
    """Read what `to_bytes` wrote. What the parameters mean is as it was then; how it learns on is as `config` says.

    Raises StateError when `data` is something else, or was made for other context fields.
    """
    try:
        made_with = ModelConfig.model_validate_json(from_arrow(data)[CONFIG][0])
        model = empty(config.with_meaning_of(made_with))
        model.patch(data)
    except (ValueError, KeyError) as error:  # not Arrow, not a model, or of a version that knew other keys
        raise StateError(f"{len(data):,} bytes are not a model that this version reads ({error})") from error
    if made_with.context_fields != config.context_fields:
        raise StateError(
            f"the model was made with model.context_fields {', '.join(made_with.context_fields) or 'none'}, the configuration "
            f"has {', '.join(config.context_fields) or 'none'}: set them as they were, or train a model anew"
        )
    return model
