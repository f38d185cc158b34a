"""Whether the streams live, how far they are, and where their time goes."""

from dashboards.panel import Board, Panel
from dashboards.shared import EVENT_TO_LIST, LAG, SILENCE, rate

BOARD = Board(
    "liveshelf-streams",
    "streams",
    {
        "Alive": [
            Panel("Silence", "seconds since the last sign of life", {"{{stream}}": SILENCE}, "s"),
            Panel(
                "State",
                "what a stream said last: running, stopped or failed",
                {"{{stream}} {{state}}": "liveshelf_stream_state"},
                "none",
            ),
            LAG,
            Panel("Rows of a micro-batch", "of the last one", {"{{stream}}": "liveshelf_stream_batch_rows"}),
        ],
        "Where the time goes": [
            Panel(
                "Spark's steps",
                "of the last micro-batch: planning, the work itself (addBatch), writing the checkpoint",
                {"{{stream}} {{step}}": "liveshelf_stream_step_seconds"},
                "s",
            ),
            Panel(
                "The hot path's steps",
                "seconds of task time in a second: cores that it takes",
                {"{{step}}": rate("liveshelf_hot_path_seconds_total", "step")},
                "s",
            ),
            EVENT_TO_LIST,
            Panel(
                "Filing and features",
                "time that the last micro-batch took",
                {
                    "events": "liveshelf_filing_seconds",
                    "features": "liveshelf_feature_seconds",
                    "ranks": "liveshelf_ranks_seconds",
                },
                "s",
            ),
        ],
        "Redis": [
            Panel(
                "Memory",
                "used, and the limit where there is one",
                {"used": "liveshelf_redis_memory_bytes", "limit": "liveshelf_redis_memory_limit_bytes"},
                "bytes",
            ),
            Panel("Answer", "time of a PING", {"ping": "liveshelf_redis_ping_seconds"}, "s"),
        ],
    },
)
