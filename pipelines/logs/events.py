"""Every event that is logged: what it means, and its keys. docs/logs.md is made from it; every call is held to it by a test."""

from dataclasses import dataclass

# In every line, and in those of a place where they are bound (batches.py).
OF_EVERY_LINE = {
    "at": "when, ISO 8601, UTC",
    "level": "debug, info, warning, error, critical",
    "event": "the name in the tables below",
    "job": "the command: `personalize`, `serve_lists`, …",
    "pid": "process that says it; not in Spark's own lines",
}
BOUND = {
    "stream": "stream on whose behalf it is said",
    "batch_id": "micro-batch in which it is said: on the driver, in its threads, in the workers' tasks",
    "partition": "Spark's partition, of what a worker's task says",
}
OF_ERRORS = {
    "error": "kind of the error",
    "because": "its text, or Spark's name for it, where that holds no value of anybody's",
    "cause": "kind of the error behind it",
    "where": "our own lines that it went through, innermost first",
}


@dataclass(frozen=True)
class Event:
    """One kind of line."""

    level: str
    about: str
    keys: tuple[str, ...] = ()


_ERROR = ("error",)
_TROUBLE = ("times", "error")
_BACK = ("times", "lasted_s")

EVENTS: dict[str, dict[str, Event]] = {
    "Every stream": {
        "stream_started": Event("info", "a stream begins, from its checkpoint", ("checkpoint", "trigger")),
        "batch_done": Event(
            "info",
            "a micro-batch that had rows is done; which figures depends on the stream",
            (
                "duration_ms", "rows", "users", "lists", "examples", "lag_p50_ms", "valid", "quarantined", "known", "inserted",
                "updated", "hidden", "rejected",
            ),
        ),
        "batch_failed": Event("error", "a micro-batch failed; it comes again at the next start", ("duration_ms", *_ERROR)),
        "stream_stopped": Event("info", "a stream ended as it was asked to"),
        "stream_failed": Event("error", "a stream ended by an error", _ERROR),
        "plan_renewed": Event("info", "a stream went on with another plan: the topic has a new schema"),
        "schema_unusable": Event("warning", "a schema is left out: its records are quarantined", ("schema_id", "problem")),
        "registry_failing": Event("warning", "the schema registry does not answer: the schemas known so far go on", _TROUBLE),
        "registry_back": Event("info", "it answers again", _BACK),
        "pulse_failing": Event("warning", "a stream cannot tell Redis that it lives", _TROUBLE),
        "pulse_back": Event("info", "it can again", _BACK),
        "task_failed": Event("error", "what a worker did for one task failed; Spark may try it again", _ERROR),
    },
    "validate_events": {
        "records_quarantined": Event("info", "records of a micro-batch that broke rules, by rule", ("records", "by_rule")),
        "audit_done": Event(
            "info", "Great Expectations judged a sample of a micro-batch", ("verdict", "rules", "differing")
        ),
        "rule_differs": Event(
            "error", "it counts otherwise than the compiled rule", ("rule", "unexpected", "compiled")
        ),
        "audit_failed": Event("warning", "it could not judge", _ERROR),
        "audit_unreported": Event("warning", "and Redis could not be told so", _ERROR),
    },
    "build_features": {
        "ranks_published": Event(
            "info", "ranks and fallback lists are made anew", ("members", "fallbacks", "tried", "duration_ms")
        ),
    },
    "personalize": {
        "lists_swept": Event("info", "lists that time made due are made", ("queue", "lists", "waiting", "duration_ms")),
        "renewals_sought": Event("info", "users are queued whose list is to be made again", ("users", "model_version")),
        "lists_filed": Event("info", "published lists are in Delta", ("filing", "duration_ms")),
        "lists_failing": Event("warning", "lists cannot be seen to; every round tries again", _TROUBLE),
        "lists_back": Event("info", "they can again", _BACK),
        "learner_frozen": Event("warning", "the model learns no more for a while", ("because", "minutes", "went_back")),
        "learner_thawed": Event("info", "it learns again"),
        "model_loaded": Event("info", "a process took the model from Redis", ("lineage", "model_batch_id", "items")),
        "model_not_shared": Event(
            "warning", "a worker keeps a copy of its own: make room in the folder, or set `model.shared_folder`",
            ("folder", *_ERROR),
        ),
        "model_switched": Event("info", "the model goes on from another champion", ("model_version", "before")),
        "champion_refused": Event("error", "a champion cannot be gone on from", ("model_version", *_ERROR)),
        "champion_unknown": Event("warning", "MLflow cannot be asked which version is champion", _TROUBLE),
        "champion_known": Event("info", "it can again", _BACK),
        "model_registered": Event("info", "what was learned is a version in MLflow", ("model_version",)),
        "model_unregistered": Event("warning", "it could not be made one; the next is tried", _ERROR),
    },
    "Services": {
        "service_started": Event("info", "a service listens", ("host", "port", "workers")),
        "service_stopped": Event("info", "it ended"),
        "requests_refused": Event("warning", "refusals by kind, of one process", ("by_kind", "interval_s")),
        "events_rejected": Event("warning", "events that the collector did not take, by rule", ("by_rule", "interval_s")),
        "kafka_away": Event("warning", "no contact with Kafka: events are refused until there is", ("times", "topic", "servers")),
        "kafka_back": Event("info", "contact again", (*_BACK, "topic")),
        "messages_bridged": Event(
            "info", "what became of RabbitMQ's messages, in all, where there were new ones",
            ("received", "acknowledged", "waiting", "events", "unreadable"),
        ),
        "rabbitmq_trouble": Event("warning", "RabbitMQ, or a message of it, makes trouble", ("problem",)),
        "redis_away": Event("warning", "Redis does not answer: lists come from memory, then from the file", _ERROR),
        "redis_back": Event("info", "it answers again", ("lasted_s",)),
        "serving_changed": Event(
            "warning", "lists are served otherwise from now on: personal or fallback; `liveshelf serving` says why", ("mode",)
        ),
        "answers_failed": Event(
            "warning", "lists that could not be made: the file stood in", ("by_error", "interval_s", *_ERROR)
        ),
        "catalogue_unread": Event("warning", "the catalogue cannot be read: what is known of it stands", _TROUBLE),
        "catalogue_read": Event("info", "it can again", _BACK),
        "asking_failing": Event("warning", "lists cannot be asked for", ("users", *_TROUBLE)),
        "asking_back": Event("info", "they can again", _BACK),
        "similar_model_loaded": Event("info", "similar items come from this model", ("model_batch_id", "items")),
        "similar_model_missing": Event("warning", "no model for similar items: trending ones stand in", _TROUBLE),
        "similar_model_back": Event("info", "there is one again", _BACK),
        "static_file_unusable": Event(
            "warning", 'the file is none of lists; expected `{"items": [ids]}`', ("file", *_ERROR)
        ),
        "static_file_unwritten": Event("warning", "the file cannot be written", ("file", *_TROUBLE)),
        "static_file_written": Event("info", "it can again", ("file", *_BACK)),
        "side_work_failing": Event("warning", "what is done beside the answers fails; it is tried again", ("work", *_TROUBLE)),
        "side_work_back": Event("info", "it works again", ("work", *_BACK)),
    },
    "Jobs that end": {
        "job_started": Event("info", "a job begins"),
        "job_ended": Event(
            "info, warning, error", "and ends: with code 0, with 3 and a finding, or by an error",
            ("exit_code", "duration_ms", *_ERROR),
        ),
        "freshness_judged": Event("info", "how many things are fresh, late, stale; with `--every`, changes", ("by_verdict",)),
    },
    "Any process": {
        "library_said": Event(
            "warning, error", "a library's own warning, its first line, once a minute at most", ("logger", "message", *_TROUBLE)
        ),
        "crashed": Event("critical", "an error that nobody caught ended the process", _ERROR),
        "refused": Event("error", "a command refused; only with `logging.format: json`", ("exit_code", *_ERROR)),
        "notice": Event("info", "what a command tells people; only with `logging.format: json`", ("text",)),
    },
}  # fmt: skip
