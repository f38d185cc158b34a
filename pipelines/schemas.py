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

from pipelines.drift_schemas import DRIFT
from pipelines.evaluation_schemas import EVALUATIONS
from pipelines.schema_field import field

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

CONTEXT = StructType(
    [
        field("device_type", StringType(), "desktop, mobile, tablet, …"),
        field("location", StringType(), "country or region, never an address"),
        field("referrer", StringType(), "URL that led here"),
        field("page_url", StringType(), "URL of the page"),
    ]
)

# What a shop sends, as JSON. `event_time` is text here: ISO 8601 and epoch milliseconds are both accepted.
EVENT_JSON = StructType(
    [
        field("event_id", StringType(), "made by the client, unique: the retry key"),
        field("event_type", StringType(), "one of " + ", ".join(EVENT_TYPES)),
        field("user_id", StringType(), "the known user"),
        field("anonymous_id", StringType(), "the visitor before login"),
        field("session_id", StringType(), "one visit"),
        field("event_time", StringType(), "ISO 8601 (UTC where no zone is given) or epoch milliseconds"),
        field("item_id", StringType(), "needed by " + ", ".join(INTERACTION_TYPES) + " and impression"),
        field("quantity", LongType(), "pieces"),
        field("price", DoubleType(), "per piece, in `currency`"),
        field("currency", StringType(), "ISO 4217"),
        field("query", StringType(), "what was searched"),
        field("list_id", StringType(), "the list that led here"),
        field("position", LongType(), "rank in that list, from 0"),
        field("context", CONTEXT, "where it happened"),
    ]
)

COORDINATES = [
    field("topic", StringType(), "Kafka topic"),
    field("partition", IntegerType(), "Kafka partition"),
    field("offset", LongType(), "Kafka offset"),
    field("ingest_time", TimestampType(), "when Kafka got the record, UTC"),
]

QUARANTINE = StructType(
    [
        field("record_id", StringType(), "SHA-256 of key and value: the same bytes are kept once in some days"),
        field("rules", ArrayType(StringType(), False), "names of the broken rules; the suite explains them"),
        field("ruleset", StringType(), "the rules it was judged by; table rule_sets has them"),
        field("key", BinaryType(), "the record's key, as it came"),
        field("value", BinaryType(), "the record's bytes, as they came"),
        field("ingest_date", DateType(), "day of ingest_time; the table is partitioned by it"),
        *COORDINATES,
    ]
)

RULE_SETS = StructType(
    [
        field("ruleset", StringType(), "hash of the rules"),
        field("suite", StringType(), "the rules, as JSON"),
        field("first_used", TimestampType(), "when a stream first started with them, UTC"),
    ]
)

REPLAYS = StructType(
    [
        field("record_id", StringType(), "the quarantined record; it is here once"),
        field("rule", StringType(), "the rule it was chosen by"),
        field(
            "fix",
            StringType(),
            "module:function that mended its bytes; null where today's rules accept them as they are",
        ),
        field("ruleset", StringType(), "the rules that accept it; table rule_sets has them"),
        field("event_id", StringType(), "the event it became"),
        field("key", BinaryType(), "the event's user: the key that is sent"),
        field("value", BinaryType(), "the bytes that are sent"),
        field("planned_at", TimestampType(), "when that was decided, UTC"),
        field("sent_at", TimestampType(), "when Kafka had confirmed it, UTC; null: not known to be sent"),
    ]
)

AUDITS = StructType(
    [
        field("audit_id", StringType(), "one audit: of one kind, engine, scope, rule set and instant"),
        field("as_of", TimestampType(), "when it was made, UTC"),
        field("kind", StringType(), "sample (beside the stream), tables or hours"),
        field("engine", StringType(), "of Great Expectations: pandas or spark"),
        field("scope", StringType(), "which rows, for people"),
        field("ruleset", StringType(), "the rules; table rule_sets has those of the stream"),
        field("verdict", StringType(), "of the whole audit: well, warning, not audited, alert or differs"),
        field("rule", StringType(), "name of one rule; there is one row for each"),
        field("severity", StringType(), "quarantine, warn or alert"),
        field("n_rows", LongType(), "rows that Great Expectations looked at"),
        field("n_unexpected_gx", LongType(), "rows that break the rule, as it counts"),
        field(
            "n_unexpected_compiled", LongType(), "rows that break it, as the stream says; null where it does not judge"
        ),
        field("is_equal", BooleanType(), "whether the two are; null where there are not two"),
        field("is_success", BooleanType(), "whether the rule as a whole is kept, `mostly` included"),
        field("observed", StringType(), "what a rule about many rows saw: a value, or the hours that break it"),
        field("not_audited", StringType(), "why the rule could not be run; null where it was"),
    ]
)

_DERIVED = [
    field("event_time", TimestampType(), "when the user acted, UTC; null where it cannot be read"),
    field("event_date", DateType(), "day of event_time"),
    field("user", StringType(), "user_id, else anonymous_id: who the profile belongs to"),
    field("value_bytes", LongType(), "length of the record; 0 where it has no value"),
    field("lateness_seconds", DoubleType(), "how long after event_time Kafka got it; 0 where it was ahead"),
]
_ONLY_FOR_RULES = [
    field("is_parsed", BooleanType(), "one JSON object, in UTF-8, whose known fields have the contract's types"),
    field("event_time_ms", LongType(), "event_time in epoch milliseconds"),
    field("seconds_ahead", DoubleType(), "event_time minus ingest_time"),
]
_RAW = [
    field("key", BinaryType(), "the record's key, as it came"),
    field("value", BinaryType(), "the record's bytes, as they came"),
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
    field("extra", MapType(StringType(), StringType()), "fields that the contract does not know, as JSON text"),
    field("warnings", ArrayType(StringType(), False), "names of the rules it breaks that only warn"),
    field("ruleset", StringType(), "the rules it was judged by; table rule_sets has them"),
]

CONSISTENCY = StructType(
    [
        field("check_id", StringType(), "one check"),
        field("as_of", TimestampType(), "when it was made, UTC"),
        field("seed", LongType(), "which users were sampled"),
        field("is_consistent", BooleanType(), "whether no profile differs or is missing"),
        field("n_users", LongType(), "users sampled"),
        field("n_equal", LongType(), "profiles that say what is filed"),
        field("n_differs", LongType(), "profiles that say something else"),
        field("n_missing", LongType(), "users without a profile who should have one"),
        field("n_expired", LongType(), "users without a profile whose last event is older than profiles live"),
        field("n_ahead", LongType(), "profiles that have read more than is filed yet; not judged"),
        field("n_other_version", LongType(), "profiles of another version of the features"),
        field("n_of_a_login", LongType(), "profiles that a visitor was joined into, or given away; not judged"),
        field("max_relative_error", DoubleType(), "of the decayed sums"),
        field("examples", ArrayType(StringType(), False), "what is wrong, of some users"),
    ]
)

LISTS = StructType(
    [
        field("user", StringType(), "whose list it is: user_id, else anonymous_id"),
        field("list_id", StringType(), "the same in the events that the list led to; unique"),
        field("made_at", TimestampType(), "when it was made and published, UTC"),
        field("made_date", DateType(), "day of made_at"),
        field(
            "cause",
            StringType(),
            "why it was made: interactions (enough of them), time (some of them, some minutes ago), login, champion (another "
            "model), unavailable (an item is gone), rebuild",
        ),
        field("source", StringType(), "what it was made from: personal"),
        field("model", StringType(), "registered version, checkpoint's model, and last micro-batch in it"),
        field("partition", LongType(), "Kafka partition of the newest event in it"),
        field("offset", LongType(), "offset of that event: its history ends there"),
        field("items", ArrayType(StringType(), False), "as they were shown, best first"),
        field("scores", ArrayType(DoubleType(), False), "of the model, same order; comparable within the list"),
        field("spare", ArrayType(StringType(), False), "items that move up where one may not be shown any more"),
        field(
            "reasons",
            MapType(StringType(), ArrayType(LongType(), False), False),
            "explore, pin, boost → places in items, from 0, that are there for it",
        ),
    ]
)

_ITEM = [
    field("item_id", StringType(), "as in the events; unique"),
    field("title", StringType(), "for people"),
    field("category", StringType(), "the path as one text: the same as in the events"),
    field("brand", StringType(), "the same as in the events"),
    field("price", DoubleType(), "without its currency"),
    field("image", StringType(), "URL"),
    field("in_stock", BooleanType(), "whether it can be ordered now"),
    field("hidden", BooleanType(), "whether the shop does not want it shown"),
    field("created_at", TimestampType(), "when it came into the shop, UTC"),
    field("tags", ArrayType(StringType(), False), "the shop's words for it"),
    field(
        "updated_at", TimestampType(), "when the shop last changed it, UTC: what is older never replaces what is newer"
    ),
    field("told_at", TimestampType(), "of the last file or record that told of it, UTC"),
    field("is_gone", BooleanType(), "whether the shop sells it no more: then the rest is what was last known"),
]
CATALOGUE = StructType(_ITEM)

CATALOGUE_REJECTED = StructType(
    [
        field("rejected_id", StringType(), "SHA-256 of source and record: the same is kept once"),
        field("source", StringType(), "name of the file, or topic of Kafka"),
        field("position", LongType(), "where in the source: ascending in a file; the offset in Kafka"),
        field("item_id", StringType(), "null where it cannot be told"),
        field("reasons", ArrayType(StringType(), False), "field: what was expected, and what came"),
        field("record", StringType(), "as JSON, or as it came where it is none"),
        field("told_at", TimestampType(), "of the file or record, UTC"),
    ]
)

CATALOGUE_HOLDS = StructType(
    [
        field("hold_id", StringType(), "one change by hand"),
        field("as_of", TimestampType(), "when it was made, UTC"),
        field("item_id", StringType(), "the item"),
        field("is_held", BooleanType(), "hidden by hand from then on, or not any more; the newest of an item holds"),
        field("reason", StringType(), "why"),
    ]
)

# A record of the catalogue on its way into the tables: an item, a rejected record, or both where it says its item.
CATALOGUE_TOLD = StructType(
    [
        *_ITEM,
        field("source", StringType(), "name of the file, or topic of Kafka"),
        field("position", LongType(), "order in the source; of one item the last counts"),
        field("reasons", ArrayType(StringType(), False), "why it is rejected; null where it is an item"),
        field("record", StringType(), "the record; null where it is an item"),
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
    "drift": DRIFT,
    "evaluations": EVALUATIONS,
}
PARTITION_COLUMNS = {"events": "event_date", "quarantine": "ingest_date", "lists": "made_date"}
