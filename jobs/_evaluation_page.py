"""An evaluation as its page tells it."""

from datetime import datetime, timezone

from jobs._evaluating import Result
from jobs._evaluation_results import Evaluation
from pipelines.evaluation.figures import calibration_of
from pipelines.evaluation.rankings import MODEL
from pipelines.evaluation.report import JudgedVersion, Told


def told_by(evaluation: Evaluation) -> Told:
    """What the page says of it."""
    return Told(
        evaluation.window,
        [_version(result) for result in evaluation.results],
        evaluation.served,
        evaluation.history,
        evaluation.alerts.lines,
        evaluation.decision,
        evaluation.is_dry_run,
    )


def _version(result: Result) -> JudgedVersion:
    judged_from = datetime.fromtimestamp(result.judged_from_s, timezone.utc)
    role, number = result.candidate.role, result.number
    if result.choices is None:
        return JudgedVersion(number, role, judged_from, result.not_judged)
    calibration = calibration_of(result.choices.lists[MODEL])
    return JudgedVersion(number, role, judged_from, "", result.figures, len(result.choices), *calibration)
