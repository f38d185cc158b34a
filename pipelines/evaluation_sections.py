"""The sections of the configuration about judging models: by which events, and which one may become champion."""

from typing import Literal

from pydantic import Field, field_validator

from pipelines.section import Section

GUARDS = ("log_loss", "next_ndcg.new_items", "coverage", "miscalibration", "novelty", "category_diversity")


class GateConfig(Section):
    """When `evaluate_model --gate` makes the challenger champion (docs/evaluation.md)."""

    primary_metric: Literal["ndcg", "recall", "hit_rate", "mrr", "map", "next_ndcg"] = Field(
        "ndcg", description="what the challenger must be better in, beyond the interval of the difference"
    )
    min_choices: int = Field(
        200, ge=2, description="choices that both must be judged by; with fewer the champion stays"
    )
    min_guard_choices: int = Field(50, ge=2, description="a guard with fewer choices than that is not judged")
    guards: dict[str, float] = Field(
        {"log_loss": 0.02, "next_ndcg.new_items": 0.10, "coverage": 0.20},
        description="how much worse the challenger may be in other metrics, as a share of the champion's value; known: "
        + ", ".join(GUARDS),
    )

    @field_validator("guards")
    @classmethod
    def _known_guards(cls, guards: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(guards) - set(GUARDS)):
            raise ValueError(f"{', '.join(unknown)}: no guard metric; known: {', '.join(GUARDS)}")
        if wrong := sorted(name for name, tolerance in guards.items() if tolerance < 0):
            raise ValueError(f"{', '.join(wrong)}: expected a tolerance from 0 on")
        return guards


class AlertConfig(Section):
    """When `evaluate_model` says that relevance has fallen."""

    min_n: int = Field(
        200, ge=1, description="choices of the holdout, or places seen of lists served: with fewer nothing is said"
    )
    n_earlier: int = Field(
        7, ge=1, description="earlier evaluations that a new one is held against: the newest so many"
    )
    min_earlier: int = Field(3, ge=1, description="with fewer of them nothing is said to have fallen")
    tolerated_drop: float = Field(
        0.05, ge=0, lt=1, description="share of their median that a figure may lose before its whole interval is below"
    )


class EvaluationConfig(Section):
    """How `evaluate_model` judges the champion and its challengers."""

    holdout_days: float = Field(7.0, gt=0, description="models are judged by what users did in so many days before now")
    k: int = Field(10, ge=1, le=100, description="length of the lists that are judged")
    relevant_hours: float = Field(
        24.0, ge=0, description="relevant to a list: what its user chooses at its moment and in so many hours after"
    )
    max_choices: int = Field(
        10_000, ge=10, description="bounds the work: choices judged, drawn evenly from the holdout"
    )
    new_user_interactions: int = Field(
        3, ge=1, description="a user with fewer interactions before the choice is a new one"
    )
    heavy_user_interactions: int = Field(
        20, ge=2, description="and a heavy one from so many on; what lies between is casual"
    )
    new_item_days: float = Field(14.0, gt=0, description="an item is new for so long after its first interaction")
    device_field: str = Field(
        "device", description="segments by this one of model.context_fields; not there where it is none of them"
    )
    gate: GateConfig = GateConfig()
    alerts: AlertConfig = AlertConfig()
