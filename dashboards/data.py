"""What is wrong with the data, and who says so."""

from dashboards.panel import Board, Panel
from dashboards.shared import rate

BOARD = Board(
    "liveshelf-data",
    "data quality",
    {
        "Records": [
            Panel("Records judged", "by verdict", {"{{verdict}}": rate("liveshelf_records_total", "verdict")}, "ops"),
            Panel(
                "Sent again",
                "records that were filed before: retries of clients, and replays",
                {"known": rate("liveshelf_records_known_already_total")},
                "ops",
            ),
            Panel(
                "Broken rules",
                "records that broke a rule; one may break several",
                {"{{rule}}": rate("liveshelf_broken_rules_total", "rule")},
                "ops",
            ),
            Panel(
                "Warned of",
                "valid events that a rule warns of",
                {"{{rule}}": rate("liveshelf_warned_rules_total", "rule")},
                "ops",
            ),
        ],
        "Jobs that look": [
            Panel(
                "Findings",
                "how the newest run ended. 0: well, 1: it failed, 3: it found what somebody should look at",
                {"{{task}}": "liveshelf_job_exit_code"},
                "none",
            ),
            Panel(
                "Last looked",
                "time since the newest run ended",
                {"{{task}}": "time() - liveshelf_job_end_timestamp_seconds"},
                "s",
            ),
        ],
        "Freshness": [
            Panel("Age", "at the last check_freshness", {"{{of}}": "liveshelf_freshness_age_seconds"}, "s"),
            Panel(
                "Age by its limit",
                "above 1 it is told; of what has a limit",
                {"{{of}}": "liveshelf_freshness_age_seconds / on (of) (liveshelf_freshness_soft_limit_seconds > 0)"},
                "none",
            ),
        ],
        "Drift": [
            Panel(
                "Worst column",
                "the highest stability index by its limit, at the last detect_drift; above 1 it is drift",
                {"worst": "liveshelf_drift_worst_psi_ratio"},
                "none",
            ),
            Panel("Columns", "by verdict", {"{{verdict}}": "liveshelf_drift_columns"}),
            Panel(
                "Columns nearest to their limit",
                "stability index by its limit",
                {"{{of}}": "topk(10, liveshelf_drift_psi / on (of) liveshelf_drift_psi_limit)"},
                "none",
            ),
            Panel(
                "Relevance of served lists", "NDCG, before and now", {"{{of}}": "liveshelf_drift_served_ndcg"}, "none"
            ),
        ],
        "Tables": [
            Panel("Bytes", "at the last maintain_tables", {"{{table}}": "liveshelf_table_bytes"}, "bytes"),
            Panel(
                "Files", "at the last maintain_tables; many small ones are slow", {"{{table}}": "liveshelf_table_files"}
            ),
        ],
        "Audits": [
            Panel(
                "Audits",
                "of a sample beside the stream, in an hour",
                {
                    "audits": "increase(liveshelf_audits_total[1h])",
                    "differences": "increase(liveshelf_audit_differences_total[1h])",
                    "errors": "increase(liveshelf_audit_errors_total[1h])",
                },
            ),
            Panel("Feature tables", "rows", {"{{table}}": "liveshelf_feature_table_rows"}),
        ],
    },
)
