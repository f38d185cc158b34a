"""A run: all that was judged, as rows of a table, lines of alerts and figures for machines."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from pipelines.drift.concept import ConceptChange
from pipelines.drift.verdicts import Judged
from pipelines.drift.windows import Windows
from pipelines.drift_sections import DriftConfig

CONCEPT, CONCEPT_NAME = "concept", "lists.served_ndcg"


@dataclass(frozen=True)
class DriftResult:
    """One run."""

    windows: Windows
    config: DriftConfig
    judged: tuple[Judged, ...]  # those that drifted first
    concept: ConceptChange
    is_silent: bool = False  # no window has an event, though the shop once had some

    @property
    def drift_id(self) -> str:
        """16 hexadecimal digits: the same for the same instant and settings."""
        text = f"{self.windows.as_of.isoformat()}\n{self.config.model_dump_json()}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def concept_verdict(self) -> str:
        if not self.concept.is_judged:
            return "no reference"
        return "drift" if self.concept.is_drift(self.config.concept) else "stable"

    @property
    def concept_change(self) -> str:
        if not self.concept.is_judged:
            return ""
        return f"NDCG@{self.config.concept.ndcg_at} {self.concept.before:.3f} → {self.concept.now:.3f}"

    @property
    def alerting(self) -> list[Judged]:
        return [judged for judged in self.judged if judged.is_alert]

    @property
    def is_drifting(self) -> bool:
        return bool(self.alerting) or self.concept_verdict == "drift" or self.is_silent

    def alerts(self) -> list[str]:
        """A line each; one for a table that has no row in the window."""
        silent = self._silent_tables()
        if self.is_silent and not silent:
            silent = {"events": f"nor since {self.windows.reference_start:%Y-%m-%d %H:%M} UTC"}
        lines = [f"{table}: no row in the last {self.windows.hours:g} hours; {why}" for table, why in silent.items()]
        lines += [_line(judged) for judged in self.alerting if judged.histogram.table not in silent]
        if self.concept_verdict == "drift":
            fell = f"fell by {self.concept.fall:.0%}, limit {self.config.concept.least_fall:.0%}"
            lines.append(f"{CONCEPT_NAME}: {self.concept_change}, {fell}")
        return lines

    def figures(self) -> dict[str, Any]:
        """What the JSON has beside what every watching job tells."""
        return {
            "drift_id": self.drift_id,
            "is_drifting": self.is_drifting,
            "window_start": self.windows.start.isoformat(),
            "reference_start": self.windows.reference_start.isoformat(),
            "features": [
                {name: row[name] for name in ("name", "kind", "figure", "threshold", "verdict", "change")}
                for row in self.rows()
            ],
        }

    def told(self) -> dict[str, dict[str, float]]:
        """What the outcome of the run has: PSI of each column beside its limit, and what became of served lists."""
        compared = {judged.name: judged.figures for judged in self.judged if judged.figures}
        ratios = [told.psi / told.threshold for told in compared.values()]
        ndcg = {"before": self.concept.before, "now": self.concept.now} if self.concept.is_judged else {}
        return {
            "psi": {name: told.psi for name, told in compared.items()},
            "psi_limit": {name: told.threshold for name, told in compared.items()},
            "worst_psi_ratio": {"columns": max(ratios)} if ratios else {},
            "columns": dict(Counter[str](judged.verdict for judged in self.judged)),
            "served_ndcg": ndcg,
            "served_ndcg_fall_ratio": {"lists": self.concept.fall} if ndcg else {},
            "served_ndcg_fall_limit_ratio": {"lists": self.config.concept.least_fall} if ndcg else {},
        }

    def rows(self) -> list[dict[str, Any]]:
        """Rows of drift_schemas.DRIFT, one for each column and one for the concept."""
        run = {
            "drift_id": self.drift_id,
            "as_of": self.windows.as_of,
            "window_start": self.windows.start,
            "reference_start": self.windows.reference_start,
            "is_drifting": self.is_drifting,
        }
        return [run | _row(judged) for judged in self.judged] + [run | self._concept_row()]

    def _silent_tables(self) -> dict[str, str]:
        of_table: dict[str, list[Judged]] = {}
        for judged in self.judged:
            if judged.verdict != "no data":
                of_table.setdefault(judged.histogram.table, []).append(judged)
        return {
            table: judged[0].change
            for table, judged in of_table.items()
            if all(one.verdict == "missing" and not one.n_current for one in judged)
        }

    def _concept_row(self) -> dict[str, Any]:
        series = self.concept.series
        is_current = series.time_s >= self.windows.start.timestamp()
        times = [datetime.fromtimestamp(second, timezone.utc).isoformat() for second in series.time_s.tolist()]
        return {
            "name": CONCEPT_NAME,
            "kind": CONCEPT,
            "verdict": self.concept_verdict,
            "change": self.concept_change,
            "figure": self.concept.fall if self.concept.is_judged else None,
            "threshold": self.config.concept.least_fall,
            "n_current": int(series.n[is_current].sum()),
            "n_reference": int(series.n[~is_current].sum()),
            "bins": times,
            "reference": series.usual.tolist(),
            "current": series.value.tolist(),
            "values": [],
            "counts": [],
        }


def gone(judged: Sequence[Judged], last_run: Sequence[Mapping[str, Any]]) -> list[Judged]:
    """Turn `no data` into `missing` where the last run, rows of the table `drift`, had data."""
    had = {row["name"]: row["n_current"] for row in last_run if row["verdict"] not in ("no data", "missing")}
    return sorted(
        (_missing(one, had[one.name]) if one.verdict == "no data" and had.get(one.name) else one for one in judged),
        key=lambda one: one.verdict != "missing",
    )


def _missing(judged: Judged, n_before: int) -> Judged:
    said = "no row of either window has it" if judged.n_current else "no row in either window"
    return replace(judged, verdict="missing", change=f"{said}; the last run had {n_before:,}")


def _line(judged: Judged) -> str:
    if judged.figures is None:
        return f"{judged.name}: {judged.change}"
    return f"{judged.name}: {judged.change} (PSI {judged.figures.psi:.3f}, limit {judged.figures.threshold:.3f})"


def _row(judged: Judged) -> dict[str, Any]:
    told, of = judged.figures, judged.histogram
    return {
        "name": judged.name,
        "kind": of.kind,
        "verdict": judged.verdict,
        "change": judged.change,
        "figure": told.psi if told else None,
        "threshold": told.threshold if told else None,
        "p": told.psi_p if told else None,
        "jensen_shannon": told.jensen_shannon if told else None,
        "kolmogorov_smirnov": told.kolmogorov_smirnov if told else None,
        "kolmogorov_smirnov_p": told.kolmogorov_smirnov_p if told else None,
        "chi_square": told.chi_square if told else None,
        "degrees_of_freedom": told.degrees_of_freedom if told else None,
        "dispersion": told.dispersion if told else None,
        "n_current": judged.n_current,
        "n_reference": judged.n_reference,
        "bins": list(judged.bins.labels),
        "reference": judged.bins.reference.astype(float).tolist(),
        "current": judged.bins.current.astype(float).tolist(),
        "values": list(of.values),
        "counts": of.current.tolist(),
    }
