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
            Panel("Micro-batches", "a second", {"{{stream}}": rate("liveshelf_stream_batches_total", "stream")}, "ops"),
            Panel(
                "Rows",
                "of micro-batches, a second",
                {"{{stream}}": rate("liveshelf_stream_rows_total", "stream")},
                "ops",
            ),
            Panel("Rows of a micro-batch", "of the last one", {"{{stream}}": "liveshelf_stream_batch_rows"}),
            Panel(
                "Behind Kafka, by partition",
                "one that stands above the others has more than its share of the users, or a task that is stuck",
                {"{{stream}} {{topic}}/{{partition}}": "liveshelf_stream_kafka_partition_lag_records"},
            ),
        ],
        "Checkpoints": [
            Panel(
                "Since the last commit",
                "of a micro-batch into the checkpoint; it grows while nothing comes",
                {"{{stream}}": "time() - liveshelf_stream_commit_timestamp_seconds"},
                "s",
            ),
            Panel(
                "Offsets reached",
                "the first record of each partition that the checkpoint has not",
                {"{{stream}} {{topic}}/{{partition}}": "liveshelf_stream_kafka_offset"},
            ),
            Panel(
                "Starts and failures",
                "in an hour; starts without failures are releases, with them it ends again and again",
                {
                    "{{stream}} started": "increase(liveshelf_stream_starts_total[1h])",
                    "{{stream}} failed": "increase(liveshelf_stream_failures_total[1h])",
                },
            ),
            Panel(
                "What streams ended of",
                "by kind of error, ever; `killed` could not say why",
                {"{{stream}} {{kind}}": "liveshelf_stream_errors_total"},
            ),
            Panel(
                "Running for",
                "since its process started",
                {"{{stream}}": "time() - liveshelf_stream_start_timestamp_seconds"},
                "s",
            ),
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
