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
