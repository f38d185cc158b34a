"""Every figure that streams tell in their heartbeats: the table that docs/metrics.md is made from."""

from pipelines.monitoring.meaning import Meaning

OF_EVERY_STREAM = [
    Meaning("as_of_ms", "heartbeat_timestamp_seconds", "when it last gave a sign of life", "gauge"),
    Meaning("state", "stream_state", "1: starting, running, stopped or failed, as it said last", "state", by="state"),
    Meaning("batch_as_of_ms", "stream_batch_timestamp_seconds", "when its last micro-batch ended", "gauge"),
    Meaning("started_ms", "stream_start_timestamp_seconds", "when its process started", "gauge"),
    Meaning("n_starts", "stream_starts", "times it was started; goes on counting when it starts anew"),
    Meaning("errors_by_kind", "stream_errors", "times it ended of an error; goes on counting when it starts anew", by="kind"),
    Meaning("n_errors", "stream_failures", "the sum of those, from 0 on: a kind but `killed` is told from its first error on"),
    Meaning("n_batches", "stream_batches", "micro-batches committed"),
    Meaning("n_batch_rows", "stream_rows", "rows of micro-batches committed"),
    Meaning("committed_batch_id", "stream_committed_batch_id", "the newest micro-batch in its checkpoint", "gauge"),
    Meaning("committed_ms", "stream_commit_timestamp_seconds", "when that was committed", "gauge"),
    Meaning("kafka_offsets", "stream_kafka_offset", "first record that its checkpoint has not", "gauge",
            by="topic", then_by="partition"),
    Meaning("kafka_lags", "stream_kafka_partition_lag_records", "records it had not read when its last micro-batch was planned",
            "gauge", by="topic", then_by="partition"),
    Meaning("stream_batch_id", "stream_batch_id", "number of its last micro-batch", "gauge"),
    Meaning("stream_rows", "stream_batch_rows", "rows of its last micro-batch", "gauge"),
    Meaning("kafka_lag", "stream_kafka_lag_records", "records it had not read when its last micro-batch was planned", "gauge"),
    Meaning("trigger_ms", "stream_step_seconds", "time of each of Spark's steps in its last micro-batch", "gauge", by="step"),
]  # fmt: skip
VALIDATION = [
    Meaning("n_valid", "records", "records judged, by the verdict", labels={"verdict": "valid"}),
    Meaning("n_quarantined", "records", "records judged, by the verdict", labels={"verdict": "quarantined"}),
    Meaning("n_known_already", "records_known_already", "records that were filed before"),
    Meaning("quarantined_by_rule", "broken_rules", "records that broke a rule", by="rule"),
    Meaning("warned_by_rule", "warned_rules", "valid events that a rule warns of", by="rule"),
    Meaning("duration_ms", "filing_seconds", "time that filing the last micro-batch took", "gauge"),
    Meaning("n_audits", "audits", "audits beside the stream"),
    Meaning("n_audit_differences", "audit_differences", "rules that an audit counted otherwise"),
    Meaning("n_audit_errors", "audit_errors", "audits that failed"),
]  # fmt: skip
_FATE = "interactions, by what became of them"
_STEP, _AT = "time in the tasks of the hot path, by step", "messages from RabbitMQ, by where they are"
_NDCG, _LOSS = "NDCG before learning, smoothed", "log-loss before learning, smoothed, nats"
HOT_PATH = [
    Meaning("n_new", "interactions", _FATE, labels={"fate": "folded"}),
    Meaning("n_repeated", "interactions", _FATE, labels={"fate": "repeated"}),
    Meaning("n_replayed", "interactions", _FATE, labels={"fate": "replayed"}),
    Meaning("n_forgotten", "interactions", _FATE, labels={"fate": "forgotten"}),
    Meaning("n_impressions", "impressions", "items that were shown"),
    Meaning("n_users", "users_touched", "users in micro-batches, once in each"),
    Meaning("n_joined", "logins_joined", "visitors whose profile was joined into a user's"),
    Meaning("n_lists", "lists_made", "lists made, by what asked for them", labels={"trigger": "interactions"}),
    Meaning("n_lists_by_time", "lists_made", "lists made, by what asked for them", labels={"trigger": "time"}),
    Meaning("n_lists_renewed", "lists_made", "lists made, by what asked for them", labels={"trigger": "renewal"}),
    Meaning("n_renewals_sought", "renewals_sought", "lists found to be made again, as model or catalogue changed"),
    Meaning("n_filings", "list_filings", "commits of published lists"),
    Meaning("n_refused", "profiles_refused", "profiles not written, as the stored one was further on"),
    Meaning("read_us", "hot_path_seconds", _STEP, labels={"step": "read"}),
    Meaning("fold_us", "hot_path_seconds", _STEP, labels={"step": "fold"}),
    Meaning("learn_us", "hot_path_seconds", _STEP, labels={"step": "learn"}),
    Meaning("score_us", "hot_path_seconds", _STEP, labels={"step": "score"}),
    Meaning("write_us", "hot_path_seconds", _STEP, labels={"step": "write"}),
    Meaning("n_examples", "learner_examples", "choices the model learned from"),
    Meaning("n_evaluated", "learner_evaluated", "choices that were ranked before they were learned from"),
    Meaning("progressive_ndcg", "progressive_ndcg", _NDCG, "gauge", labels={"of": "model"}),
    Meaning("progressive_ndcg_of_popularity", "progressive_ndcg", _NDCG, "gauge", labels={"of": "popularity"}),
    Meaning("progressive_loss", "progressive_loss", _LOSS, "gauge", labels={"of": "model"}),
    Meaning("progressive_loss_of_popularity", "progressive_loss", _LOSS, "gauge", labels={"of": "popularity"}),
    Meaning("progressive_recall", "progressive_recall", "recall before learning, smoothed", "gauge"),
    Meaning("times_frozen", "learner_freezes", "times that learning stopped itself"),
    Meaning("frozen_because", "learner_frozen", "1 while learning stands still", "flag"),
    Meaning("examples_per_task", "learner_budget_examples", "choices that a task may learn from", "gauge"),
    Meaning("model_items", "model_items", "items in the model", "gauge"),
    Meaning("model_version", "model_version", "1: the registered version it goes on from", "state", by="version"),
    Meaning("model_updates", "model_updates", "what was published of the model: patches, or all of it anew", by="kind"),
    Meaning("n_versions", "model_versions", "versions registered of what was learned"),
    Meaning("n_version_failures", "model_version_failures", "versions that could not be registered"),
    Meaning("n_champion_failures", "champion_failures", "looks for the champion that failed"),
    Meaning("lists_error", "list_keeper_failing", "1 while the sweep or the log of lists fails", "flag"),
]  # fmt: skip
FEATURES = [
    Meaning("n_events", "feature_events", "events taken into the feature tables"),
    Meaning("n_rows_updated", "feature_rows_written", "rows written, by kind", labels={"kind": "updated"}),
    Meaning("n_rows_inserted", "feature_rows_written", "rows written, by kind", labels={"kind": "inserted"}),
    Meaning("table_rows", "feature_table_rows", "rows of a table", "gauge", by="table"),
    Meaning("newest_event_ms", "feature_event_timestamp_seconds", "newest event in the last micro-batch", "gauge"),
    Meaning("duration_ms", "feature_seconds", "time that the last micro-batch took", "gauge"),
    Meaning("publish_ms", "ranks_seconds", "time that publishing ranks and fallback lists took", "gauge"),
    Meaning("ranked_members", "ranked_members", "members of the ranks published last", "gauge"),
    Meaning("fallback_lists", "fallback_lists", "fallback lists published last", "gauge"),
]  # fmt: skip
BRIDGE = [
    Meaning("n_received", "bridge_messages", _AT, labels={"at": "received"}),
    Meaning("n_acknowledged", "bridge_messages", _AT, labels={"at": "acknowledged"}),
    Meaning("n_events", "bridge_events", "records that messages became in Kafka"),
    Meaning("n_unreadable", "bridge_unreadable", "messages that were no JSON: in Kafka as they were"),
    Meaning("n_waiting", "bridge_waiting_messages", "messages that wait for Kafka", "gauge"),
]  # fmt: skip

OF_STREAM: dict[str, list[Meaning]] = {
    "validate_events": VALIDATION,
    "personalize": HOT_PATH,
    "build_features": FEATURES,
    "load_catalogue": [],
    "bridge_rabbitmq": BRIDGE,
}
JOBS_THAT_END = (
    "audit_events",
    "check_consistency",
    "check_freshness",
    "detect_drift",
    "evaluate_model",
    "maintain_tables",
    "rebuild_profiles",
    "reconcile_events",
    "train_model",
)
OUTCOME = [
    Meaning("ended_ms", "job_end_timestamp_seconds", "when its newest run ended", "gauge"),
    Meaning("seconds", "job_run_seconds", "time that its newest run took", "gauge"),
    Meaning("exit_code", "job_exit_code", "0: well, 1: it failed, 3: it found what somebody should look at", "gauge"),
]
LAG = Meaning(
    "lags_up_to_ms",
    "event_to_list_seconds",
    "from Kafka's timestamp of an event to the list that it is in, of a sample",
)
# What heartbeats say for people, or for another job, and why it is no metric.
NO_METRIC = {
    "batch_id": "of its sink: the same as stream_batch_id",
    "ruleset": "a hash",
    "last_quarantined": "examples, by id",
    "n_swept_lists": "the sum of n_lists_by_time and n_lists_renewed",
    "n_rows": "the sum of n_valid and n_quarantined",
    "n_interactions": "the sum of what became of them",
    "lag_p50_ms": "the histogram has it",
    "lag_p99_ms": "the histogram has it",
    "lag_sum_ms": "the histogram has it",
    "n_timed": "the histogram has it",
    "n_late": "the histogram has it",
    "lags_up_to_ms": "the histogram",
    "refused_version": "a text",
    "newest_version": "a text: see model_version",
    "version_error": "a text: see n_version_failures",
    "champion": "a text: see model_version",
    "champion_error": "a text: see n_champion_failures",
    "last_audit_as_of_ms": "the pages of the audit have it",
    "last_audit_verdict": "the pages of the audit have it",
    "features_version": "of the configuration",
    "tried_items": "bounded by the configuration",
}
