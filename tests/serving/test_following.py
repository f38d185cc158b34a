"""The copy of the catalogue is brought up to what a request has read: once for all, and not waited for without end."""

import asyncio
import threading

import pytest

from pipelines.serving.following import Following


class Copy:
    """A copy whose catching up takes until it is `let_go`."""

    def __init__(self, version: bytes | None = None) -> None:
        self.version, self.newest = version, b"9-0"
        self.n_calls, self.let_go = 0, threading.Event()

    def catch_up(self, version):
        self.n_calls += 1
        assert self.let_go.wait(60)
        self.version = self.newest


@pytest.mark.parametrize(
    ("reached", "version", "n_calls"),
    [
        pytest.param(b"5-0", b"5-0", 0, id="the same"),
        pytest.param(b"5-0", b"5-1", 1, id="a later one"),
        pytest.param(b"5-0", b"10-0", 1, id="later as a number, not as a text"),
        pytest.param(b"5-3", b"5-1", 0, id="read before somebody else caught up"),
        pytest.param(b"900000-0", b"5-1", 1, id="of a server that lost its data"),
        pytest.param(None, b"5-0", 1, id="the first"),
        pytest.param(b"5-0", None, 0, id="no catalogue any more: what is known stands"),
        pytest.param(None, None, 0, id="no catalogue"),
        pytest.param(b"5-0", b"5-0-x", 0, id="no version at all"),
    ],
)
def test_what_has_to_be_read(reached, version, n_calls):
    copy = Copy(reached)
    copy.newest = version
    copy.let_go.set()

    assert asyncio.run(Following(copy).reach(version)) is True
    assert copy.n_calls == n_calls


def test_many_requests_wait_for_one_catching_up():
    copy = Copy(b"1-0")

    async def ask() -> list[bool]:
        followed = Following(copy)
        waiting = [asyncio.create_task(followed.reach(b"%d-0" % (2 + n % 8))) for n in range(100)]
        while not copy.n_calls:
            await asyncio.sleep(0)
        copy.let_go.set()
        return await asyncio.gather(*waiting)

    assert asyncio.run(ask()) == [True] * 100 and copy.n_calls == 1


def test_who_comes_while_it_takes_long_does_not_wait_as_long_again():
    copy, now = Copy(b"1-0"), [0.0]

    async def ask() -> list[bool]:
        followed = Following(copy, lambda: now[0])
        first = await followed.reach(b"2-0", 0.01)
        now[0] = 3_600.0
        later = await followed.reach(b"2-0", 3_600.0)  # its patience is over
        copy.let_go.set()
        return [first, later]

    assert asyncio.run(ask()) == [False, False] and copy.n_calls == 1
