"""Evaluations as rows of the table `evaluations` (evaluation_schemas.py)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pipelines.evaluation.figures import ALL, Figure
from pipelines.evaluation.gate import Decision
from pipelines.evaluation.served import ServedFigure

Kind = Literal["holdout", "served", "gate"]
OF_A_LIST = ("ndcg", "recall", "precision", "hit_rate", "mrr", "map", "next_ndcg", "next_hit_rate")
BY_LENGTH = (*OF_A_LIST, "coverage", "novelty", "category_diversity", "brand_diversity", "miscalibration")


@dataclass(frozen=True)
class Window:
    """When: events from `since` on and before `as_of` (UTC); and the length of the lists that are judged."""

    since: datetime
    as_of: datetime
    k: int

    def evaluation_id(self, kind: Kind, *about: object) -> str:
        """16 hexadecimal digits: the same for the same evaluation."""
        text = "\n".join([kind, self.since.isoformat(), self.as_of.isoformat(), str(self.k), *map(str, about)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def holdout_rows(window: Window, version: int, role: str, figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """All rows of one version; its role is no part of the id."""
    about = _about(window, "holdout", window.evaluation_id("holdout", version)) | {"version": version, "role": role}
    return [about | _row(figure, window.k if figure.metric in BY_LENGTH else None) for figure in figures]


def served_rows(window: Window, figures: Iterable[ServedFigure]) -> list[dict[str, Any]]:
    """All rows of what was served."""
    about = _about(window, "served", window.evaluation_id("served"))
    return [about | {"version": served.version, "role": None} | _row(served.figure, None) for served in figures]


def gate_rows(window: Window, decision: Decision, metric: str) -> list[dict[str, Any]]:
    """The row of a decision; none where there was nothing to decide about."""
    if decision.challenger is None:
        return []
    of = window.evaluation_id("gate", decision.champion, decision.challenger)
    interval = decision.difference
    figure = {
        "version": decision.challenger,
        "role": "challenger",
        "ranking": "challenger_above_champion",
        "segment": ALL,
        "metric": metric,
        "k": window.k,
        "value": interval.mean if interval else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "n": decision.n,
        "n_users": decision.n_users,
        "note": f"{decision.outcome}: {decision.reason}",
    }
    return [_about(window, "gate", of) | figure]


def _about(window: Window, kind: Kind, evaluation_id: str) -> dict[str, Any]:
    return {"evaluation_id": evaluation_id, "as_of": window.as_of, "since": window.since, "kind": kind, "note": None}


def _row(figure: Figure, k: int | None) -> dict[str, Any]:
    return {**vars(figure), "k": k}
