"""The sections of the configuration about judging models: by which events, and which one may become champion."""

from pydantic import Field

from pipelines.section import Section


class EvaluationConfig(Section):
    """How `evaluate_model` judges the champion and its challengers."""

    holdout_days: float = Field(7.0, gt=0, description="models are judged by what users did in so many days before now")
