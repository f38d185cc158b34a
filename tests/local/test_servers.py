import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import redis
import tenacity
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from pipelines.config import Config
from pipelines.errors import ServerError
from pipelines.local.addresses import with_running_servers
from pipelines.local.records import ProcessId, Record, read_record, record_path, write_record
from pipelines.local.servers import EmbeddedServers, ensure_topic
from pipelines.sections import KafkaConfig, RedisConfig
from tests.servers import MAX_RECORD_BYTES

pytestmark = pytest.mark.servers
PROJECT = Path(__file__).parents[2]
NOBODY = "127.0.0.1:1"


@pytest.fixture
def given_kafka(servers: EmbeddedServers) -> KafkaConfig:
    """A broker that is there already, so that only the quick Valkey has to be started."""
    return KafkaConfig(bootstrap_servers=servers.bootstrap_servers)


@pytest.fixture
def up(servers: EmbeddedServers, tmp_path: Path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Start `liveshelf up`, with a broker given, in an empty folder; wait for what it prints when it is ready."""
    (tmp_path / "conf").symlink_to(PROJECT / "conf")
    environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": servers.bootstrap_servers, "PYTHONPATH": str(PROJECT)}
    environment.pop("REDIS_URL", None)
    with ExitStack() as stack:

        def start() -> "subprocess.Popen[str]":
            command = [sys.executable, "-m", "jobs", "up"]
            process = stack.enter_context(
                subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=-1, stderr=-2, text=True)
            )
            stack.callback(process.kill)
            lines = iter(process.stdout or ())
            assert any("Ctrl-C stops" in line for line in lines)
            return process

        yield start


def valkey_of(home: Path) -> psutil.Process:
    record = read_record(record_path(home, "valkey"))
    assert record is not None
    process = record.server.process()
    assert process is not None
    return process


def command_line(process: psutil.Process) -> str:
    """Empty for one that has ended: of Spark's workers some may have, and not be cleared away yet."""
    try:
        return " ".join(process.cmdline())
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return ""


def wait_until_ended(process: psutil.Process) -> None:
    psutil.wait_procs([process], timeout=10)
    assert not process.is_running()


def read_all(bootstrap_servers: str, topic: str) -> list[bytes]:
    partition = TopicPartition(topic, 0)
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", max_partition_fetch_bytes=MAX_RECORD_BYTES
    )
    consumer.assign([partition])
    end, values = consumer.end_offsets([partition])[partition], []
    while len(values) < end:
        values += [record.value for records in consumer.poll(1000).values() for record in records]
    consumer.close()
    return values


def send(bootstrap_servers: str, topic: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, max_request_size=MAX_RECORD_BYTES)
    producer.send(topic, value, partition=0).get(30)
    producer.close()


def topic_settings(bootstrap_servers: str, topic: str) -> dict[str, str]:
    with KafkaAdminClient(bootstrap_servers=bootstrap_servers) as admin:
        answer = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    return {name: str(value["value"]) for name, value in answer["topic"][topic].items()}


def test_data_survives_a_restart_on_another_port(tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path, KafkaConfig()) as first:
        ensure_topic(first.bootstrap_servers, "clicks", 1, MAX_RECORD_BYTES)
        send(first.bootstrap_servers, "clicks", b"kept")
        redis.Redis.from_url(first.redis_url).set("kept", "yes")
    with EmbeddedServers(tmp_path, KafkaConfig()) as second:
        assert read_all(second.bootstrap_servers, "clicks") == [b"kept"]
        assert redis.Redis.from_url(second.redis_url).get("kept") == b"yes"
        assert second.bootstrap_servers != first.bootstrap_servers


def test_every_port_is_on_loopback_only(servers: EmbeddedServers) -> None:
    children = psutil.Process().children(recursive=True)
    ours = [child for child in children if "kafka.Kafka" in (line := command_line(child)) or "valkey-server" in line]
    listening = [c.laddr for child in ours for c in child.net_connections() if c.status == psutil.CONN_LISTEN]
    assert len(listening) >= 3  # Valkey, broker, controller
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_the_topic_takes_large_records_and_keeps_old_ones(servers: EmbeddedServers, topic: str) -> None:
    send(servers.bootstrap_servers, topic, b"x" * (MAX_RECORD_BYTES - 1000))
    assert [len(value) for value in read_all(servers.bootstrap_servers, topic)] == [MAX_RECORD_BYTES - 1000]
    settings = topic_settings(servers.bootstrap_servers, topic)
    assert settings["retention.ms"] == "-1"
    assert settings["message.timestamp.type"] == "CreateTime"


def test_a_topic_that_exists_is_left_as_it_is(servers: EmbeddedServers, topic: str) -> None:
    ensure_topic(servers.bootstrap_servers, topic, 5, MAX_RECORD_BYTES)
    with KafkaAdminClient(bootstrap_servers=servers.bootstrap_servers) as admin:
        assert len(admin.describe_topics([topic])[0]["partitions"]) == 2


def test_a_topic_cannot_be_made_where_no_broker_is() -> None:
    with pytest.raises(ServerError, match=f"'clicks' cannot be made at {NOBODY}"):
        ensure_topic(NOBODY, "clicks", 1, MAX_RECORD_BYTES, timeout_ms=300)


def test_a_broken_start_names_the_log_and_leaves_nothing_running(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"logs/kafka\.log(?s:.)*kafka\.tools\.StorageTool"):
        EmbeddedServers(tmp_path, KafkaConfig(), jars=[]).__enter__()
    assert not record_path(tmp_path, "valkey").exists()
    assert not [c for c in psutil.Process().children(recursive=True) if str(tmp_path) in command_line(c)]


def test_a_second_start_in_the_same_folder_is_refused(given_kafka: KafkaConfig, tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path, given_kafka) as first:
        with pytest.raises(ServerError, match="already running"):
            EmbeddedServers(tmp_path, given_kafka).__enter__()
        assert redis.Redis.from_url(first.redis_url).ping()


@pytest.mark.parametrize(
    ("variables", "origin"),
    [({}, "the key redis.url"), ({"REDIS_URL": f"redis://me:secret@{NOBODY}/0"}, "the variable REDIS_URL")],
)
def test_a_given_server_that_does_not_answer_is_named_with_its_origin(
    variables: dict[str, str], origin: str, given_kafka: KafkaConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    url = variables.get("REDIS_URL", f"redis://{NOBODY}/0")
    with pytest.raises(ServerError, match=origin) as caught:
        EmbeddedServers(tmp_path, given_kafka, RedisConfig.model_construct(url=url)).__enter__()
    assert "secret" not in str(caught.value)


def test_a_given_broker_that_does_not_answer_is_named_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=f"no Kafka answers at {NOBODY}, given by the key kafka.bootstrap_servers"):
        EmbeddedServers(tmp_path, KafkaConfig(bootstrap_servers=NOBODY)).__enter__()


def test_the_running_servers_are_found_by_other_processes(given_kafka: KafkaConfig, tmp_path: Path) -> None:
    with EmbeddedServers(tmp_path, given_kafka) as running:
        found = with_running_servers(Config(kafka=given_kafka), tmp_path)
        assert found.redis.url == running.redis_url
        assert found.kafka.bootstrap_servers == given_kafka.bootstrap_servers


def test_no_server_at_all_is_an_error_that_says_what_to_start(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="no Kafka: start the embedded one with `liveshelf up`, or set KAFKA_BOOTS"):
        with_running_servers(Config(), tmp_path)
    with pytest.raises(ServerError, match="no Redis: start the embedded one with `liveshelf up`, or set REDIS_URL"):
        with_running_servers(Config(kafka=KafkaConfig(bootstrap_servers=NOBODY)), tmp_path)


def test_of_a_demo_that_runs_it_is_said_how_to_use_its_servers(tmp_path: Path) -> None:
    alive = ProcessId.of(os.getpid())
    write_record(record_path(tmp_path / "demo", "valkey"), Record(alive, alive, 1))

    with pytest.raises(ServerError, match=r"no Redis: .*export LIVESHELF_CONFIG=\S+demo/config\.yaml"):
        with_running_servers(Config(kafka=KafkaConfig(bootstrap_servers=NOBODY)), tmp_path)


def test_a_record_whose_processes_have_ended_is_no_running_server(tmp_path: Path) -> None:
    ended = ProcessId(pid=os.getpid(), created=0.0)
    write_record(record_path(tmp_path, "valkey"), Record(ended, ended, 1))
    with pytest.raises(ServerError, match="no Redis"):
        with_running_servers(Config(kafka=KafkaConfig(bootstrap_servers=NOBODY)), tmp_path)


def test_nobody_else_can_start_while_we_do(
    given_kafka: KafkaConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start_valkey(home: Path) -> None:
        with (home / "run" / "lock").open("a") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        raise ServerError("the lock was held")

    monkeypatch.setattr("pipelines.local.servers.start_valkey", start_valkey)
    with pytest.raises(ServerError, match="the lock was held"):
        EmbeddedServers(tmp_path, given_kafka).__enter__()


@pytest.mark.crash
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_up_stops_what_it_started(
    number: signal.Signals, code: int, up: Callable[[], "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    process = up()
    valkey = valkey_of(tmp_path / ".liveshelf")
    process.send_signal(number)
    assert process.wait(20) == code
    wait_until_ended(valkey)
    assert not record_path(tmp_path / ".liveshelf", "valkey").exists()


@pytest.mark.crash
def test_after_kill_nine_the_next_start_works_and_has_the_data(
    up: Callable[[], "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    process = up()
    home = tmp_path / ".liveshelf"
    record = read_record(record_path(home, "valkey"))
    assert record is not None
    with redis.Redis(port=record.port) as client:
        client.set("kept", "yes")
    process.kill()
    up()
    again = read_record(record_path(home, "valkey"))
    assert again is not None
    with redis.Redis(port=again.port) as client:
        assert client.get("kept") == b"yes"
    assert record.server.process() is None


@pytest.mark.crash
def test_of_two_starts_at_the_same_moment_one_wins(given_kafka: KafkaConfig, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from pipelines.sections import KafkaConfig\n"
        "from pipelines.local.servers import EmbeddedServers\n"
        "with EmbeddedServers(Path(sys.argv[1]), KafkaConfig(bootstrap_servers=sys.argv[2])):\n"
        "    print('up', flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(tmp_path), given_kafka.bootstrap_servers or ""]
    both = [subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True) for _ in range(2)]
    for _ in tenacity.Retrying(stop=tenacity.stop_after_delay(20), wait=tenacity.wait_fixed(0.05)):
        with _:
            assert [process.poll() for process in both].count(None) == 1  # the loser gave up
    loser, winner = sorted(both, key=lambda process: process.poll() is None)
    assert "already running" in loser.communicate()[1]
    assert winner.communicate("\n")[0] == "up\n"


def test_the_store_answers_on_every_server_of_the_protocol(each_redis_url: str) -> None:
    with redis.Redis.from_url(each_redis_url) as client:
        client.set("key", "value", ex=60)
        assert client.get("key") == b"value"
        assert client.dbsize() == 1
