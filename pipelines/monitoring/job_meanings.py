"""What the figures that jobs which end tell in their outcomes are called in Prometheus, and mean there."""

from pipelines.monitoring.meaning import Meaning

_OF = "of"


def _gauge(figure: str, name: str, about: str, by: str = _OF) -> Meaning:
    return Meaning(figure, name, about, "gauge", by=by)


OF_JOB: dict[str, list[Meaning]] = {
    "check_freshness": [
        _gauge("age_seconds", "freshness_age_seconds", "how old it was"),
        _gauge("soft_limit_seconds", "freshness_soft_limit_seconds", "older is told"),
        _gauge("hard_limit_seconds", "freshness_hard_limit_seconds", "older takes personal lists away"),
    ],
    "detect_drift": [
        _gauge("psi", "drift_psi", "population stability index of a column, between the window and the reference"),
        _gauge("psi_limit", "drift_psi_limit", "above, it is drift"),
        _gauge("worst_psi_ratio", "drift_worst_psi_ratio", "the highest index by its limit"),
        _gauge("columns", "drift_columns", "columns, by verdict", "verdict"),
        _gauge("served_ndcg", "drift_served_ndcg", "NDCG of served lists: before, and now"),
        _gauge("served_ndcg_fall_ratio", "drift_served_ndcg_fall_ratio", "share by which that fell"),
        _gauge("served_ndcg_fall_limit_ratio", "drift_served_ndcg_fall_limit_ratio", "above, it has fallen too far"),
    ],
    "evaluate_model": [
        _gauge("ndcg", "evaluation_ndcg", "NDCG on later choices"),
        _gauge("ndcg_limit", "evaluation_ndcg_limit", "below, it has fallen"),
        _gauge("recall", "evaluation_recall", "recall on later choices"),
        _gauge("hit_rate", "evaluation_hit_ratio", "share of later choices whose list had one"),
        _gauge("log_loss", "evaluation_log_loss", "log-loss on later choices, nats"),
        _gauge("coverage", "evaluation_coverage_ratio", "share of the catalogue that lists had"),
        _gauge("calibration_error", "evaluation_calibration_error", "how far probabilities are from what happened"),
        _gauge("choices", "evaluation_choices", "later choices that it was judged by"),
        _gauge("click_through", "evaluation_click_through_ratio", "places seen that were clicked, by source of the list"),
        _gauge("click_through_limit", "evaluation_click_through_limit_ratio", "below, it has fallen"),
        _gauge("cart_rate", "evaluation_cart_ratio", "places seen whose item went into a cart, by source of the list"),
        _gauge("conversion", "evaluation_conversion_ratio", "places seen whose item was bought, by source of the list"),
    ],
    "train_model": [
        _gauge("ndcg", "training_ndcg", "NDCG on the slices that judged it"),
        _gauge("recall", "training_recall", "recall on the slices that judged it"),
        _gauge("log_loss", "training_log_loss", "log-loss on the slices that judged it, nats"),
        _gauge("events", "training_events", "interactions it learned from, and was judged by"),
        _gauge("examples_per_second", "training_examples_per_second", "choices learned in a second"),
    ],
    "audit_events": [
        _gauge("rules", "audit_rules", "rules audited, by verdict", "verdict"),
        _gauge("rows", "audit_rows", "rows looked at, by audit"),
        _gauge("broken_rows", "audit_broken_rows", "rows that broke a rule, as Great Expectations counts", "rule"),
    ],
    "maintain_tables": [
        _gauge("table_bytes", "table_bytes", "bytes of the newest version of a table", "table"),
        _gauge("table_files", "table_files", "files of the newest version of a table", "table"),
        _gauge("rows_deleted", "maintenance_rows_deleted", "rows deleted, being too old", "table"),
        _gauge("files_vacuumed", "maintenance_files_vacuumed", "files removed that no version needed", "table"),
    ],
    "reconcile_events": [
        _gauge("produced", "reconciled_produced_records", "records that the topic has"),
        _gauge("records", "reconciled_records", "those, by fate", "fate"),
        _gauge("wrong_rows", "reconciled_wrong_rows", "rows that should not be there"),
    ],
    "check_consistency": [
        _gauge("profiles", "checked_profiles", "profiles sampled, by verdict", "verdict"),
        _gauge("sum_error_ratio", "checked_sum_error_ratio", "relative error of decayed sums"),
    ],
    "rebuild_profiles": [
        _gauge("profiles", "rebuilt_profiles", "profiles looked at, by fate", "fate"),
        _gauge("interactions", "rebuilt_interactions", "interactions that they were made from"),
    ],
}  # fmt: skip
