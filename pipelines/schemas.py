"""Every table and record shape, once. The event contract is EVENT_JSON; what the jobs keep is built from it.

Times are UTC. `ingest_time` is Kafka's timestamp of the record, `event_time` when the user acted.
"""

from dataclasses import dataclass

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

EVENT_TYPES = (
    "page_view",
    "product_view",
    "click",
    "search",
    "add_to_cart",
    "remove_from_cart",
    "purchase",
    "impression",
    "identify",
)
# Codes are written into profiles: add at the end, never renumber.
INTERACTION_CODES = {"product_view": 1, "click": 2, "add_to_cart": 3, "remove_from_cart": 4, "purchase": 5}
INTERACTION_TYPES = tuple(INTERACTION_CODES)  # the event types that say something about taste; all need an item


def _field(name: str, kind: object, about: str, nullable: bool = True) -> StructField:
    return StructField(name, kind, nullable, {"comment": about})  # type: ignore[arg-type]


CONTEXT = StructType(
    [
        _field("device_type", StringType(), "desktop, mobile, tablet, …"),
        _field("location", StringType(), "country or region, never an address"),
        _field("referrer", StringType(), "URL that led here"),
        _field("page_url", StringType(), "URL of the page"),
    ]
)

# What a shop sends, as JSON. `event_time` is text here: ISO 8601 and epoch milliseconds are both accepted.
EVENT_JSON = StructType(
    [
        _field("event_id", StringType(), "made by the client, unique: the retry key"),
        _field("event_type", StringType(), "one of " + ", ".join(EVENT_TYPES)),
        _field("user_id", StringType(), "the known user"),
        _field("anonymous_id", StringType(), "the visitor before login"),
        _field("session_id", StringType(), "one visit"),
        _field("event_time", StringType(), "ISO 8601 (UTC where no zone is given) or epoch milliseconds"),
        _field("item_id", StringType(), "needed by " + ", ".join(INTERACTION_TYPES) + " and impression"),
        _field("quantity", LongType(), "pieces"),
        _field("price", DoubleType(), "per piece, in `currency`"),
        _field("currency", StringType(), "ISO 4217"),
        _field("query", StringType(), "what was searched"),
        _field("list_id", StringType(), "the list that led here"),
        _field("position", LongType(), "rank in that list, from 0"),
        _field("context", CONTEXT, "where it happened"),
    ]
)

COORDINATES = [
    _field("topic", StringType(), "Kafka topic"),
    _field("partition", IntegerType(), "Kafka partition"),
    _field("offset", LongType(), "Kafka offset"),
    _field("ingest_time", TimestampType(), "when Kafka got the record, UTC"),
]

QUARANTINE = StructType(
    [
        _field("record_id", StringType(), "SHA-256 of key and value: the same bytes are kept once in some days"),
        _field("rules", ArrayType(StringType(), False), "names of the broken rules; the suite explains them"),
        _field("ruleset", StringType(), "the rules it was judged by; table rule_sets has them"),
        _field("key", BinaryType(), "the record's key, as it came"),
        _field("value", BinaryType(), "the record's bytes, as they came"),
        _field("ingest_date", DateType(), "day of ingest_time; the table is partitioned by it"),
        *COORDINATES,
    ]
)

RULE_SETS = StructType(
    [
        _field("ruleset", StringType(), "hash of the rules"),
        _field("suite", StringType(), "the rules, as JSON"),
        _field("first_used", TimestampType(), "when a stream first started with them, UTC"),
    ]
)

REPLAYS = StructType(
    [
        _field("record_id", StringType(), "the quarantined record; it is here once"),
        _field("rule", StringType(), "the rule it was chosen by"),
        _field(
            "fix",
            StringType(),
            "module:function that mended its bytes; null where today's rules accept them as they are",
        ),
        _field("ruleset", StringType(), "the rules that accept it; table rule_sets has them"),
        _field("event_id", StringType(), "the event it became"),
        _field("key", BinaryType(), "the event's user: the key that is sent"),
        _field("value", BinaryType(), "the bytes that are sent"),
        _field("planned_at", TimestampType(), "when that was decided, UTC"),
        _field("sent_at", TimestampType(), "when Kafka had confirmed it, UTC; null: not known to be sent"),
    ]
)

AUDITS = StructType(
    [
        _field("audit_id", StringType(), "one audit: of one kind, engine, scope, rule set and instant"),
        _field("as_of", TimestampType(), "when it was made, UTC"),
        _field("kind", StringType(), "sample (beside the stream), tables or hours"),
        _field("engine", StringType(), "of Great Expectations: pandas or spark"),
        _field("scope", StringType(), "which rows, for people"),
        _field("ruleset", StringType(), "the rules; table rule_sets has those of the stream"),
        _field("verdict", StringType(), "of the whole audit: well, warning, not audited, alert or differs"),
        _field("rule", StringType(), "name of one rule; there is one row for each"),
        _field("severity", StringType(), "quarantine, warn or alert"),
        _field("n_rows", LongType(), "rows that Great Expectations looked at"),
        _field("n_unexpected_gx", LongType(), "rows that break the rule, as it counts"),
        _field(
            "n_unexpected_compiled", LongType(), "rows that break it, as the stream says; null where it does not judge"
        ),
        _field("is_equal", BooleanType(), "whether the two are; null where there are not two"),
        _field("is_success", BooleanType(), "whether the rule as a whole is kept, `mostly` included"),
        _field("observed", StringType(), "what a rule about many rows saw: a value, or the hours that break it"),
        _field("not_audited", StringType(), "why the rule could not be run; null where it was"),
    ]
)

_DERIVED = [
    _field("event_time", TimestampType(), "when the user acted, UTC; null where it cannot be read"),
    _field("event_date", DateType(), "day of event_time"),
    _field("user", StringType(), "user_id, else anonymous_id: who the profile belongs to"),
    _field("value_bytes", LongType(), "length of the record; 0 where it has no value"),
    _field("lateness_seconds", DoubleType(), "how long after event_time Kafka got it; 0 where it was ahead"),
]
_ONLY_FOR_RULES = [
    _field("is_parsed", BooleanType(), "one JSON object, in UTF-8, whose known fields have the contract's types"),
    _field("event_time_ms", LongType(), "event_time in epoch milliseconds"),
    _field("seconds_ahead", DoubleType(), "event_time minus ingest_time"),
]
_RAW = [
    _field("key", BinaryType(), "the record's key, as it came"),
    _field("value", BinaryType(), "the record's bytes, as they came"),
]


@dataclass(frozen=True)
class Contract:
    """The event contract: what every shop sends, and the optional fields that a shop has added by configuration."""

    optional: tuple[StructField, ...] = ()

    @property
    def json(self) -> StructType:
        """What comes in: EVENT_JSON and the optional fields."""
        return StructType([*EVENT_JSON.fields, *self.optional])

    @property
    def sent(self) -> list[StructField]:
        """The fields that are kept as they were sent: all but event_time, whose text becomes an instant."""
        return [field for field in self.json.fields if field.name != "event_time"]

    @property
    def checked(self) -> StructType:
        """A record on its way through the rules: what `parse_records` makes of it.

        Of a record that is not parsed, all is null but key, value, value_bytes, is_parsed and the coordinates.
        """
        return StructType([*_RAW, *self.sent, *_DERIVED, *_ONLY_FOR_RULES, *COORDINATES])

    @property
    def events(self) -> StructType:
        """The table `events`."""
        return StructType([*self.sent, *_DERIVED, *_JUDGED, *COORDINATES])

    @property
    def verdicts(self) -> StructType:
        """A judged record: all columns of both tables, and what only the rules look at."""
        quarantine = [field for field in QUARANTINE.fields if field.name not in self.events.names]
        return StructType([*self.events.fields, *_ONLY_FOR_RULES, *quarantine])


_JUDGED = [
    _field("extra", MapType(StringType(), StringType()), "fields that the contract does not know, as JSON text"),
    _field("warnings", ArrayType(StringType(), False), "names of the rules it breaks that only warn"),
    _field("ruleset", StringType(), "the rules it was judged by; table rule_sets has them"),
]

# One row a task of the hot path gives back to the driver. All integers are long: Arrow's int64 is not accepted for `int`.
HOT_PATH_REPORT = StructType(
    [
        _field("partition", LongType(), "Kafka partition"),
        _field("n_interactions", LongType(), "rows the task got"),
        _field("n_new", LongType(), "folded"),
        _field("n_repeated", LongType(), "the same event again"),
        _field("n_replayed", LongType(), "read again after an interruption"),
        _field("n_forgotten", LongType(), "older than the whole ring"),
        _field("n_impressions", LongType(), "items that were shown, of users in the task and others"),
        _field("n_users", LongType(), "users in the task"),
        _field("n_lists", LongType(), "lists made again"),
        _field("n_refused", LongType(), "users whose stored profile was further on"),
        _field("n_joined", LongType(), "visitors who became users, or another user"),
        _field("read_us", LongType(), "reading profiles and model, microseconds"),
        _field("fold_us", LongType(), "folding"),
        _field("learn_us", LongType(), "the gradient"),
        _field("score_us", LongType(), "scoring and making lists"),
        _field("write_us", LongType(), "writing profiles and lists"),
        _field(
            "lag_ms",
            ArrayType(LongType(), False),
            "event in Kafka → list written, a sample of the events behind the lists",
        ),
        _field("n_examples", LongType(), "choices the model learned from"),
        _field(
            "loss", DoubleType(), "their log-loss before that, summed, nats; NaN where a number in the gradient is none"
        ),
        _field("loss_of_popularity", DoubleType(), "the same of popularity alone"),
        _field("n_evaluated", LongType(), "choices that were ranked against the whole catalogue before"),
        _field("ndcg", DoubleType(), "their NDCG, summed"),
        _field("recall", DoubleType(), "how many of them were among the first k"),
        _field("ndcg_of_popularity", DoubleType(), "their NDCG by popularity alone, summed"),
        _field("gradient", BinaryType(), "what the task's events add to the model"),
    ]
)

CONSISTENCY = StructType(
    [
        _field("check_id", StringType(), "one check"),
        _field("as_of", TimestampType(), "when it was made, UTC"),
        _field("seed", LongType(), "which users were sampled"),
        _field("is_consistent", BooleanType(), "whether no profile differs or is missing"),
        _field("n_users", LongType(), "users sampled"),
        _field("n_equal", LongType(), "profiles that say what is filed"),
        _field("n_differs", LongType(), "profiles that say something else"),
        _field("n_missing", LongType(), "users without a profile who should have one"),
        _field("n_expired", LongType(), "users without a profile whose last event is older than profiles live"),
        _field("n_ahead", LongType(), "profiles that have read more than is filed yet; not judged"),
        _field("n_other_version", LongType(), "profiles of another version of the features"),
        _field("n_of_a_login", LongType(), "profiles that a visitor was joined into, or given away; not judged"),
        _field("max_relative_error", DoubleType(), "of the decayed sums"),
        _field("examples", ArrayType(StringType(), False), "what is wrong, of some users"),
    ]
)

LISTS = StructType(
    [
        _field("user", StringType(), "whose list it is: user_id, else anonymous_id"),
        _field("list_id", StringType(), "the same in the events that the list led to; unique"),
        _field("made_at", TimestampType(), "when it was made and published, UTC"),
        _field("made_date", DateType(), "day of made_at"),
        _field(
            "cause",
            StringType(),
            "why it was made: interactions (enough of them), time (some of them, some minutes ago), login, champion (another "
            "model), unavailable (an item is gone), rebuild",
        ),
        _field("source", StringType(), "what it was made from: personal"),
        _field("model", StringType(), "registered version, checkpoint's model, and last micro-batch in it"),
        _field("partition", LongType(), "Kafka partition of the newest event in it"),
        _field("offset", LongType(), "offset of that event: its history ends there"),
        _field("items", ArrayType(StringType(), False), "as they were shown, best first"),
        _field("scores", ArrayType(DoubleType(), False), "of the model, same order; comparable within the list"),
        _field("spare", ArrayType(StringType(), False), "items that move up where one may not be shown any more"),
        _field(
            "reasons",
            MapType(StringType(), ArrayType(LongType(), False), False),
            "explore, pin, boost → places in items, from 0, that are there for it",
        ),
    ]
)

_ITEM = [
    _field("item_id", StringType(), "as in the events; unique"),
    _field("title", StringType(), "for people"),
    _field("category", StringType(), "the path as one text: the same as in the events"),
    _field("brand", StringType(), "the same as in the events"),
    _field("price", DoubleType(), "without its currency"),
    _field("image", StringType(), "URL"),
    _field("in_stock", BooleanType(), "whether it can be ordered now"),
    _field("hidden", BooleanType(), "whether the shop does not want it shown"),
    _field("created_at", TimestampType(), "when it came into the shop, UTC"),
    _field("tags", ArrayType(StringType(), False), "the shop's words for it"),
    _field(
        "updated_at", TimestampType(), "when the shop last changed it, UTC: what is older never replaces what is newer"
    ),
    _field("told_at", TimestampType(), "of the last file or record that told of it, UTC"),
    _field("is_gone", BooleanType(), "whether the shop sells it no more: then the rest is what was last known"),
]
CATALOGUE = StructType(_ITEM)

CATALOGUE_REJECTED = StructType(
    [
        _field("rejected_id", StringType(), "SHA-256 of source and record: the same is kept once"),
        _field("source", StringType(), "name of the file, or topic of Kafka"),
        _field("position", LongType(), "where in the source: ascending in a file; the offset in Kafka"),
        _field("item_id", StringType(), "null where it cannot be told"),
        _field("reasons", ArrayType(StringType(), False), "field: what was expected, and what came"),
        _field("record", StringType(), "as JSON, or as it came where it is none"),
        _field("told_at", TimestampType(), "of the file or record, UTC"),
    ]
)

CATALOGUE_HOLDS = StructType(
    [
        _field("hold_id", StringType(), "one change by hand"),
        _field("as_of", TimestampType(), "when it was made, UTC"),
        _field("item_id", StringType(), "the item"),
        _field("is_held", BooleanType(), "hidden by hand from then on, or not any more; the newest of an item holds"),
        _field("reason", StringType(), "why"),
    ]
)

# A record of the catalogue on its way into the tables: an item, a rejected record, or both where it says its item.
CATALOGUE_TOLD = StructType(
    [
        *_ITEM,
        _field("source", StringType(), "name of the file, or topic of Kafka"),
        _field("position", LongType(), "order in the source; of one item the last counts"),
        _field("reasons", ArrayType(StringType(), False), "why it is rejected; null where it is an item"),
        _field("record", StringType(), "the record; null where it is an item"),
    ]
)

# One row a slice of the users gives back to the driver.
REBUILD_REPORT = StructType(
    [
        _field("slice", LongType(), "number of the slice"),
        _field("n_interactions", LongType(), "that `events` has of its users"),
        _field("n_users", LongType(), "users in the slice"),
        _field("n_replaced", LongType(), "profiles that were written"),
        _field("n_same", LongType(), "profiles that said the same already"),
        _field("n_of_logins", LongType(), "users left as they are: they have more of visitors than is filed so far"),
    ]
)

# One row a shard of the users gives back to the driver.
SWEEP_REPORT = StructType(
    [
        _field("shard", LongType(), "number of the shard"),
        _field("n_claimed", LongType(), "users taken from the queue"),
        _field("n_lists", LongType(), "lists published"),
        _field("n_refused", LongType(), "users who are due again"),
    ]
)
RENEWALS_REPORT = StructType(
    [
        _field("n_sought", LongType(), "users whose list is to be made again"),
        _field(
            "model_version", StringType(), "registered version of the model that they were compared with; new: of none"
        ),
    ]
)

TABLES = {
    "events": Contract().events,
    "quarantine": QUARANTINE,
    "rule_sets": RULE_SETS,
    "replays": REPLAYS,
    "audits": AUDITS,
    "consistency": CONSISTENCY,
    "lists": LISTS,
    "catalogue": CATALOGUE,
    "catalogue_rejected": CATALOGUE_REJECTED,
    "catalogue_holds": CATALOGUE_HOLDS,
}
PARTITION_COLUMNS = {"events": "event_date", "quarantine": "ingest_date", "lists": "made_date"}
