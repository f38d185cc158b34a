"""A replay sends every line, counts exactly, and stops when asked."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.events.logs import FORMATS, log_format
from pipelines.local.pacing import Pacer
from pipelines.local.replay import ReplaySummary, replay

JSONL = log_format("jsonl")
EVENT = b'{"event_id":"e%d","user_id":"u1","event_time":%d}'


class Memory:
    def __init__(self) -> None:
        self.sent = []
        self.n_flushed = 0

    def send(self, record) -> None:
        self.sent.append(record)

    def flush(self) -> None:
        self.n_flushed = len(self.sent)


def replayed(lines, log=JSONL, pacer=None, **options) -> tuple[Memory, ReplaySummary]:
    memory = Memory()
    return memory, replay(lines, log, memory, pacer or Pacer(None), **options)


def test_every_line_is_sent_and_flushed_the_broken_ones_too():
    lines = [EVENT % (1, 0), b"not json", EVENT % (2, 0)]

    memory, summary = replayed(lines)

    assert [record.value for record in memory.sent] == lines
    assert memory.n_flushed == 3
    assert summary == ReplaySummary(n_sent=3, n_broken=1, n_distinct=3, was_stopped=False)


def test_duplicates_are_counted_by_event_id_and_broken_ones_by_their_bytes():
    lines = [EVENT % (1, 0), EVENT % (1, 5), b"not json", b"not json", b"nor this", b'{"user_id":"u1"}']

    summary = replayed(lines)[1]

    assert (summary.n_distinct, summary.n_duplicates) == (4, 2)


def test_the_limit_is_the_number_of_lines_sent():
    assert replayed([EVENT % (n, 0) for n in range(9)], limit=4)[1].n_sent == 4


def test_a_wish_to_stop_is_heard_between_records_and_what_was_sent_is_flushed():
    memory = Memory()
    lines = (EVENT % (n, 0) for n in range(9))

    summary = replay(lines, JSONL, memory, Pacer(None), should_stop=lambda: len(memory.sent) == 3)

    assert (summary.n_sent, memory.n_flushed, summary.was_stopped) == (3, 3, True)


def test_records_are_sent_at_their_event_time():
    now, sent_at = [0.0], []
    pacer = Pacer(60.0, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
    lines = [EVENT % (n, n * 60_000) for n in range(4)]

    replayed(lines, pacer=pacer, on_sent=lambda _: sent_at.append(round(now[0], 6)))

    assert sent_at == [0, 1, 2, 3]


@given(st.sampled_from(sorted(FORMATS)), st.lists(st.binary(), max_size=20))
def test_a_second_replay_sends_identical_bytes(name, lines):
    first, first_summary = replayed(lines, FORMATS[name])
    second, second_summary = replayed(lines, FORMATS[name])

    assert first.sent == second.sent
    assert first_summary == second_summary
