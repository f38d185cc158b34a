"""Lines come from files, plain or gzip, and folders; real data gives the counts that are known of it."""

import gzip
from collections import Counter
from itertools import islice
from pathlib import Path

import orjson
import pytest

from pipelines.errors import InputError
from pipelines.events.logs import log_format, read_line
from pipelines.sources.log_files import LogLines

DATA = Path(__file__).parents[3] / "shared/data"
with_real_data = pytest.mark.skipif(not DATA.exists(), reason=f"NOT TESTED on real logs: {DATA} is not there")
REES46_FILE = DATA / "rees46/2019-10-01.csv.gz"
RETAIL_FILE = DATA / "online-retail/2010-12-01.csv.gz"


def records_of(path: Path, name: str):
    log = log_format(name)
    return [read_line(line, log) for line in LogLines(path, log.header)]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"h\na\nb\n", [b"a", b"b"]),
        (b"h\r\na\r\nb", [b"a\r", b"b"]),
        (b"h\n\na\n  \n", [b"a"]),
        (b"\xef\xbb\xbfh\na\n", [b"a"]),
        (gzip.compress(b"h\na\n", mtime=0), [b"a"]),
        (gzip.compress(b"h\n", mtime=0) + gzip.compress(b"a\n", mtime=0), [b"a"]),
    ],
)
def test_the_header_and_empty_lines_are_no_records(tmp_path, content, lines):
    file = tmp_path / "log"
    file.write_bytes(content)

    assert list(LogLines(file, header=b"h")) == lines


def test_files_of_a_folder_are_read_in_the_order_of_their_names(tmp_path):
    (tmp_path / "2.csv").write_bytes(b"h\nb\n")
    (tmp_path / "1.csv.gz").write_bytes(gzip.compress(b"h\na\n", mtime=0))
    (tmp_path / ".hidden").write_bytes(b"no log")

    assert list(LogLines(tmp_path, header=b"h")) == [b"a", b"b"]


def test_all_bytes_on_disk_are_read_in_the_end(tmp_path):
    (tmp_path / "1").write_bytes(gzip.compress(b"a\n" * 1000))
    (tmp_path / "2").write_bytes(b"b\n")
    lines = LogLines(tmp_path)

    list(lines)

    assert lines.bytes_read == lines.total_bytes == sum(file.stat().st_size for file in tmp_path.iterdir())


def test_how_far_it_is_can_be_asked_after_stopping_in_the_middle(tmp_path):
    (tmp_path / "1").write_bytes(b"a\n")
    (tmp_path / "2").write_bytes(b"b\n" * 10)
    lines = LogLines(tmp_path)

    assert list(islice(lines, 2)) == [b"a", b"b"]
    assert 2 < lines.bytes_read <= lines.total_bytes


def test_another_header_is_refused_naming_both(tmp_path):
    file = tmp_path / "log.csv"
    file.write_bytes(b"a,b\n1,2\n")

    with pytest.raises(InputError, match=r"(?s)log\.csv: wrong header.*expected x,y.*got +a,b"):
        list(LogLines(file, header=b"x,y"))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        LogLines(tmp_path / "absent")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="empty"):
        LogLines(tmp_path)


def test_a_cut_gzip_file_is_refused_by_name(tmp_path):
    file = tmp_path / "log.gz"
    file.write_bytes(gzip.compress(b"a\n" * 1000)[:-10])

    with pytest.raises(InputError, match=r"log\.gz: the gzip file is damaged or cut"):
        list(LogLines(file))


@with_real_data
def test_rees46_has_17435_rows_of_which_one_is_cut_and_five_are_duplicates():
    records = records_of(REES46_FILE, "rees46")
    readable = [record for record in records if not record.is_broken]

    assert (len(records), len(readable), len({record.event_id for record in readable})) == (17_435, 17_434, 17_429)
    assert records[-1].is_broken and records[-1].value.endswith(b"52040330")
    types = Counter(orjson.loads(record.value)["event_type"] for record in readable)
    # The README counts 17,056 views: the cut row is one of them.
    assert types == {"product_view": 17_055, "purchase": 214, "add_to_cart": 165}


@with_real_data
def test_a_day_of_online_retail_has_what_its_lines_say():
    records = records_of(RETAIL_FILE, "online-retail")
    events = [orjson.loads(record.value) for record in records]

    assert [record for record in records if record.is_broken] == []
    assert (len(records), len({record.event_id for record in records})) == (3_108, 3_064)
    assert sum("user_id" not in event for event in events) == 1_140
    assert all(event["quantity"] < 0 for event in events if event["session_id"].startswith("C"))
    assert all(event["item_id"] == event["item_id"].upper() for event in events)


@with_real_data
def test_a_second_replay_of_a_real_log_gives_identical_bytes():
    assert records_of(REES46_FILE, "rees46") == records_of(REES46_FILE, "rees46")
