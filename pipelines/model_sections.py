"""The sections of the configuration about the model: what each key means, its default and its bounds."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipelines.schemas import INTERACTION_TYPES
from pipelines.section import Section

EventWeights = dict[str, float]
Kind = Literal["factorization", "mixture", "co_occurrence", "own_history", "popularity"]


# What a model's parameters mean, and how many they are.
MEANING = ("kind", "event_weights", "category_field", "brand_field", "context_fields", "popularity_half_lives_hours")
MEANING_OF_MIXTURE = ("co_occurrence_half_life_hours", "neighbours_per_item")
MEANING_OF_FACTORIZATION = (
    "dimensions",
    "history_half_life_hours",
    "history_normalization",
    "own_item_affinity",
    "repeat_half_lives_hours",
    "popularity_smoothing",
    "category_rows",
    "brand_rows",
    "context_rows",
    "initial_accumulator",
)


class MixtureConfig(Section):
    """The mixture of own history, item co-occurrence and popularity; co-occurrence alone reads its part of it."""

    own_history_share: float = Field(0.45, ge=0, le=1)
    co_occurrence_share: float = Field(0.40, ge=0, le=1, description="the rest of 1 is popularity")
    history_half_life_hours: float = Field(24.0, gt=0)
    co_occurrence_half_life_hours: float = Field(24.0 * 30, gt=0)
    pair_half_life_hours: float = Field(
        1.0, gt=0, description="two interactions of one user so far apart pair half as strongly"
    )
    pairs_per_interaction: int = Field(8, ge=0, description="earlier interactions that a new one is paired with")
    neighbours_per_item: int = Field(32, ge=1, description="bounds the model: slots kept for each item")

    @model_validator(mode="after")
    def _shares_of_one(self) -> "MixtureConfig":
        if self.own_history_share + self.co_occurrence_share > 1:
            raise ValueError("own_history_share and co_occurrence_share must not add up to more than 1")
        return self


class FactorizationConfig(Section):
    """The factorization machine (docs/models.md): how large it is, and how fast it learns."""

    dimensions: int = Field(32, ge=1, le=512, description="length of a vector: memory and time grow with it")
    history_items: int = Field(
        40, ge=1, le=200, description="interactions of the user that an example knows: the newest before its second"
    )
    history_half_life_hours: float = Field(24.0 * 45, gt=0, description="an interaction so old says half as much")
    history_normalization: float = Field(
        0.8,
        ge=0,
        le=1,
        description="the history's vector is divided by its summed weight to this power: 1 forgets how much there is of it",
    )
    own_item_affinity: float = Field(
        0.5,
        ge=0,
        le=1,
        description="how much the history's vector counts for items in it, for which repetition speaks already",
    )
    repeat_half_lives_hours: tuple[float, float] = Field(
        (24.0 * 14, 24.0 * 365), description="of the terms about the user's own earlier interactions with the item"
    )
    negatives: int = Field(256, ge=1, description="items that the mini-batch learns to rank below what was chosen")
    negatives_exponent: float = Field(0.75, ge=0, le=1, description="negatives are drawn by popularity to this power")
    history_dropout: float = Field(0.2, ge=0, lt=1, description="share of the history that an example does not see")
    learning_rate: float = Field(0.1, gt=0, description="AdaGrad step of item, category, brand and context vectors")
    bias_learning_rate: float = Field(0.02, gt=0, description="the same of the items' biases")
    term_learning_rate: float = Field(0.1, gt=0, description="the same of the few weights that all items share")
    l2: float = Field(1e-5, ge=0, description="pull towards 0, of each vector that a step touches")
    initial_scale: float = Field(0.1, gt=0, description="standard deviation of a history vector before it has learned")
    initial_accumulator: float = Field(
        0.1, ge=0, description="AdaGrad's squared gradients at the start: larger makes first steps smaller"
    )
    initial_repeat_weights: tuple[float, float, float, float, float] = Field(
        (0.0, 0.5, 2.0, 0.5, 0.0),
        description="of what the user met before, until it has learned: decayed weight (short, long half-life), once, number, "
        "number for each second at which the user did something",
    )
    popularity_smoothing: float = Field(
        0.1, gt=0, description="added to an item's share of popularity, in parts of an even share, before the logarithm"
    )
    category_rows: int = Field(1024, ge=2, description="bounds the model: categories are hashed to so many vectors")
    brand_rows: int = Field(4096, ge=2, description="the same for brands")
    context_rows: int = Field(256, ge=2, description="the same for the values of each context field")
    exact_up_to_items: int = Field(
        20_000,
        ge=0,
        description="in a larger catalogue a list is made from a bounded number of candidates for each user",
    )


class GuardsConfig(Section):
    """When learning stops by itself (docs/models.md)."""

    evaluated_examples_per_task: int = Field(
        16, ge=0, description="examples ranked against the whole catalogue before they are learned from; 0: none"
    )
    evaluated_at: int = Field(20, ge=1, description="k of the progressive NDCG and recall")
    smoothing_examples: float = Field(
        2_000.0, gt=0, description="the figures are means in which an example so many examples ago counts 1/e"
    )
    patience_examples: int = Field(2_000, ge=0, description="nothing is judged before so many examples were evaluated")
    freeze_minutes: float = Field(
        30.0, gt=0, description="so long learning stands still, on the last good version; then it is tried again"
    )
    loss_jump: float = Field(
        1.0, gt=0, description="learning stops when the log-loss is so much above that of popularity alone, in nats"
    )
    lowest_relevance: float = Field(
        0.7, ge=0, description="learning stops when the NDCG falls below this share of popularity's own"
    )


class ModelConfig(Section):
    """The ranker, what it learns from, and how large it may grow."""

    kind: Kind = Field("factorization", description="which ranker makes the lists")
    event_weights: EventWeights = Field(
        {"product_view": 1.0, "click": 1.0, "add_to_cart": 3.0, "remove_from_cart": -2.0, "purchase": 5.0},
        description="how much one event says about taste; signed",
    )
    category_field: str | None = Field(
        "category", description="the event's field with the item's category; none: not read"
    )
    brand_field: str | None = Field("brand", description="the event's field with the item's brand; none: not read")
    context_fields: tuple[str, ...] = Field(
        ("device", "country"),
        description="fields of the event that say where the user is, by names of the features file",
    )
    popularity_half_lives_hours: tuple[float, ...] = Field(
        (24.0, 24.0 * 7, 24.0 * 45), min_length=1, description="an item's popularity is kept once for each"
    )
    admit_after_events: int = Field(
        2,
        ge=1,
        description="an item gets parameters of its own after so many interactions; before, it is ranked without",
    )
    expire_after_days: float = Field(
        90.0, gt=0, description="an item without an interaction for so long leaves the model"
    )
    max_items: int = Field(200_000, ge=10, description="bounds the model: the least popular items beyond it leave")
    max_examples_per_second: int = Field(
        4_000, ge=0, description="learn from at most so many interactions, sampled evenly when there are more"
    )
    max_examples_per_user: int = Field(
        8, ge=1, description="only what is among the newest so many of its user when it comes is learned from"
    )
    max_examples_per_user_hour: int = Field(
        40,
        ge=1,
        le=200,
        description="an interaction that follows so many of its user within an hour is not learned from",
    )
    shared_folder: str | None = Field(
        "auto",
        description="where the workers of a machine share one copy of the model's vectors; auto: /dev/shm where there is one, "
        "else the temp folder; null: every worker has its own",
    )
    snapshot_every_batches: int = Field(200, ge=1, description="patches between two full copies of the model in Redis")
    mixture: MixtureConfig = MixtureConfig()
    factorization: FactorizationConfig = FactorizationConfig()
    guards: GuardsConfig = GuardsConfig()

    @property
    def reach(self) -> int:
        """How many interactions before an example it takes to learn from it."""
        return max(self.factorization.history_items, self.max_examples_per_user_hour)

    def meaning(self) -> str:
        """Give what the parameters mean, as JSON that is a configuration too."""
        parts = {"mixture": set(MEANING_OF_MIXTURE), "factorization": set(MEANING_OF_FACTORIZATION)}
        return self.model_dump_json(include={**dict.fromkeys(MEANING, True), **parts})

    def with_meaning_of(self, other: "ModelConfig") -> "ModelConfig":
        """Give this configuration, with what parameters made under `other` mean: without that they would say something else."""
        mixture = {name: getattr(other.mixture, name) for name in MEANING_OF_MIXTURE}
        factorization = {name: getattr(other.factorization, name) for name in MEANING_OF_FACTORIZATION}
        return self.model_copy(
            update={
                **{name: getattr(other, name) for name in MEANING},
                "mixture": self.mixture.model_copy(update=mixture),
                "factorization": self.factorization.model_copy(update=factorization),
            }
        )

    @field_validator("event_weights")
    @classmethod
    def _known_event_types(cls, weights: EventWeights) -> EventWeights:
        if unknown := sorted(set(weights) - set(INTERACTION_TYPES)):
            raise ValueError(f"{', '.join(unknown)}: not an interaction; known: {', '.join(INTERACTION_TYPES)}")
        return weights
