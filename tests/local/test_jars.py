from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.errors import ServerError
from pipelines.local import ivy, jars
from pipelines.local.jars import broker_jars, read_coordinates, spark_jars

DEFAULTS = "spark.jars.packages  org:a:1,org:b:2\n# comment\nspark.liveshelf.broker.package  org:k:3\n"


class FakeIvy:
    """Puts one small file for each coordinate where the jars would go, and counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: ServerError | None = None

    def download(self, coordinates: Mapping[str, list[str]], folder: Path, cache: Path, progress: ivy.Progress) -> None:
        self.calls += 1
        for group, several in coordinates.items():
            (folder / group).mkdir(parents=True)
            for coordinate in several:
                (folder / group / (coordinate.replace(":", "-") + ".jar")).write_text(coordinate)
            if self.error:
                raise self.error


@pytest.fixture
def fake_ivy(monkeypatch: pytest.MonkeyPatch) -> FakeIvy:
    fake = FakeIvy()
    monkeypatch.setattr(ivy, "download", fake.download)
    return fake


@pytest.fixture
def defaults(tmp_path: Path) -> Path:
    path = tmp_path / "spark-defaults.conf"
    path.write_text(DEFAULTS)
    return path


def test_jars_are_resolved_once(fake_ivy: FakeIvy, defaults: Path, tmp_path: Path) -> None:
    assert [jar.name for jar in spark_jars(tmp_path, defaults)] == ["org-a-1.jar", "org-b-2.jar"]
    assert [jar.name for jar in broker_jars(tmp_path, defaults)] == ["org-k-3.jar"]
    assert fake_ivy.calls == 1
    assert all(jar.is_absolute() and jar.is_file() for jar in spark_jars(tmp_path, defaults))


def test_other_coordinates_are_resolved_anew(fake_ivy: FakeIvy, defaults: Path, tmp_path: Path) -> None:
    spark_jars(tmp_path, defaults)
    defaults.write_text(DEFAULTS.replace("org:b:2", "org:b:3"))
    assert [jar.name for jar in spark_jars(tmp_path, defaults)] == ["org-a-1.jar", "org-b-3.jar"]


@pytest.mark.parametrize("damage", [Path.unlink, lambda jar: jar.write_text("cut")], ids=["missing", "cut short"])
def test_a_damaged_jar_is_noticed(damage: object, fake_ivy: FakeIvy, defaults: Path, tmp_path: Path) -> None:
    damage(spark_jars(tmp_path, defaults)[0])  # type: ignore[operator]
    assert spark_jars(tmp_path, defaults)[0].read_text() == "org:a:1"
    assert fake_ivy.calls == 2


def test_a_failed_download_leaves_the_jars_of_before(fake_ivy: FakeIvy, defaults: Path, tmp_path: Path) -> None:
    before = spark_jars(tmp_path, defaults)
    fake_ivy.error = ServerError("no network")
    defaults.write_text(DEFAULTS.replace("org:b:2", "org:b:3"))
    with pytest.raises(ServerError, match="no network"):
        spark_jars(tmp_path, defaults)
    assert all(jar.is_file() for jar in before)
    defaults.write_text(DEFAULTS)
    assert spark_jars(tmp_path, defaults) == before


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    defaults = tmp_path / "spark-defaults.conf"
    defaults.write_text("spark.jars.packages org:a:1\n")
    with pytest.raises(ServerError, match=r"spark-defaults\.conf: no value for spark\.liveshelf\.broker\.package"):
        read_coordinates(defaults)


def test_a_coordinate_of_another_form_is_named() -> None:
    with pytest.raises(ServerError, match="'org:a' in the Spark defaults is no jar coordinate; expected organisation"):
        ivy.ivy_description({"spark": ["org:a"]}, [])


def test_what_spark_ships_is_left_out() -> None:
    shipped = ivy._names_in_spark()
    assert {"slf4j-api", "zstd-jni", "snappy-java", "log4j-core", "scala-library", "spark-sql_2.13"} <= shipped
    assert not {"kafka-clients", "delta-storage", "commons-pool2"} & shipped


@pytest.mark.parametrize(
    ("log", "advice"),
    [
        (
            "HttpClientHandler: Connect to 127.0.0.1:9 failed: Connection refused url=x",
            "cannot be reached. Check the net",
        ),
        ("javax.net.ssl.SSLHandshakeException: PKIX path building failed", "refused. Check the proxy, its certificate"),
        ("\t\t:: org.nobody#nothing;1: not found\n", r"not found: org\.nobody#nothing;1\. Check the coordinates"),
    ],
)
def test_a_failure_says_what_to_do(log: str, advice: str, tmp_path: Path) -> None:
    path = tmp_path / "ivy.log"
    path.write_text(log)
    with pytest.raises(ServerError, match=advice):
        raise ServerError(ivy._explain(path))


def test_the_progress_is_a_line_in_ten_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    for done in range(1, 26):
        jars.print_progress("jars downloaded", done, 57)
    assert capsys.readouterr().err == "  jars downloaded: 10 of about 57\n  jars downloaded: 20 of about 57\n"
