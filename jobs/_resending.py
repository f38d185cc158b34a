"""The steps of `quarantine replay`: judge what is open, plan what is accepted, send what is planned."""

from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial

from pyspark.sql import DataFrame, SparkSession
from pyspark.storagelevel import StorageLevel

from jobs._parsing import TopicFormat
from jobs._quarantine_texts import age
from jobs._spark import job_session
from pipelines.config import Config
from pipelines.errors import InputError
from pipelines.events.fixes import Fix, mend
from pipelines.events.parse import parse_records
from pipelines.events.rules import CompiledRules, compile_rules
from pipelines.events.second_look import accepted, judge_again, open_rows, with_coordinates
from pipelines.local.topics import ensure_topic
from pipelines.sinks.kafka_rows import send_rows
from pipelines.sinks.replays import Replays
from pipelines.sinks.rule_sets import record_rule_set
from pipelines.sources.delta import read_table
from pipelines.stores.connection import connect
from pipelines.stores.heartbeat import HeartbeatStore

JOB = "quarantine"
STREAMS = ("validate_events", "personalize")  # what judges the records that are sent


@dataclass(frozen=True)
class Resending:
    """Records are judged by the suite of today, as if they came `now`."""

    config: Config
    spark: SparkSession
    rules: CompiledRules
    topic_format: TopicFormat
    replays: Replays
    now: datetime

    @classmethod
    def start(cls, config: Config, now: datetime) -> "Resending":
        """Start Spark and compile the suite. Raises RuleError, or what the topic's format raises."""
        topic_format = TopicFormat(config.kafka)
        spark = job_session(JOB)
        rules = compile_rules(spark, config.validation.suite, config.events.contract.checked)
        return cls(config, spark, rules, topic_format, Replays(spark, config.table("replays")), now)

    def refuse_under_other_rules(self) -> None:
        """Raise InputError when a stream last reported other rules than today's: it would put aside what is sent.

        However long ago: a stream without events reports nothing, and one that is stopped reports its rules when it starts.
        """
        heartbeats, todays = HeartbeatStore(connect(str(self.config.redis.url))), self.rules.ruleset
        for job in STREAMS:
            beat = heartbeats.read(job) or {}
            if beat.get("ruleset", todays) != todays:
                reported = datetime.fromtimestamp(beat["as_of_ms"] / 1000, timezone.utc)
                raise InputError(
                    f"{job} judges by other rules than the suite of today: {beat['ruleset']}, as it reported "
                    f"{age(reported, self.now)} ago, not {todays}. It would put what you send aside again. Restart {job} "
                    "first (where it runs with --once, run it once), then replay"
                )

    def judge_open(self, rule: str, fix: Fix | None, limit: int | None) -> DataFrame:
        """Judge the open records that broke `rule`, mended by `fix`: rows of `judge_again`."""
        quarantine, known = (
            read_table(self.spark, self.config.table(name), name) for name in ("quarantine", "replays")
        )
        # Kept: each use would run the fix again.
        mended = mend(open_rows(quarantine, known, rule, limit), fix).persist(StorageLevel.MEMORY_AND_DISK)
        return self._judge(mended).persist(StorageLevel.MEMORY_AND_DISK)

    def plan(self, judged: DataFrame, rule: str, fix_name: str | None) -> None:
        """Write down which bytes are to be sent, and by which rules."""
        ruleset, suite = self.rules.ruleset, self.config.validation.suite.read_text(encoding="utf-8")
        record_rule_set(self.spark, self.config.table("rule_sets"), ruleset, suite, self.now)
        self.replays.plan(accepted(judged), rule=rule, fix=fix_name, ruleset=ruleset, now=self.now)

    def send_planned(self) -> tuple[int, int]:
        """(Records sent, planned records that are kept back because the rules have changed and refuse them)."""
        unsent, kafka = self.replays.unsent(), self.config.kafka
        if unsent.isEmpty():
            return 0, 0
        ensure_topic(str(kafka.bootstrap_servers), kafka.topic, kafka.partitions, kafka.max_record_bytes)
        ready = accepted(self._judge(mend(with_coordinates(unsent))))
        n_sent = self.replays.send(ready, partial(send_rows, kafka=kafka), self.now)
        return n_sent, unsent.count() - n_sent

    def _judge(self, mended: DataFrame) -> DataFrame:
        def parse(records: DataFrame) -> DataFrame:
            return parse_records(self.topic_format.with_text(records), self.config.events.contract)

        return judge_again(mended, self.rules, parse, self.now)
