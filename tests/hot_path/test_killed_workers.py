"""Workers killed -9 while they write a step into the shared arrays, or make the file: who lives holds the driver's bytes."""

import hashlib
import multiprocessing
import os
import random
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from pipelines.hot_path import model_copy, shared_model
from pipelines.hot_path.model_copy import ModelCopy
from pipelines.hot_path.shared_model import SharedModel
from pipelines.models.factorization import machine, tables
from pipelines.models.factorization.tables import Table
from tests.hot_path.published import Published
from tests.hot_path.test_shared_model import CONFIG, Driver

FORK = multiprocessing.get_context("fork")
ALL = {module.__file__ for module in (model_copy, shared_model, machine, tables, sys.modules[__name__])}
SHARING = {shared_model.__file__}  # few of the lines: so that they are hit as well
MOST_LINES = {True: 120, False: 1_500}
N_WORKERS, N_ROUNDS = 3, 30
pytestmark = pytest.mark.crash


class Killed:
    """Kills this process -9 before a given line of the code under test, or of that which shares alone."""

    def __init__(self, is_of_sharing: bool, at_line: int) -> None:
        self._files, self.n_lines, self._at_line = SHARING if is_of_sharing else ALL, 0, at_line

    def __call__(self, frame, event, _argument):
        if frame.f_code.co_filename not in self._files:
            return None
        if event == "line":
            self.n_lines += 1
            if self.n_lines == self._at_line:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def set_row_by_row(table: Table, state) -> None:
    """As `Table.set`, so that a kill cuts a table in two."""
    values = state["values"].reshape(-1, table.n_dimensions)
    for number, row in enumerate(state["row"].tolist()):
        table.values[row] = values[number]
        table.accumulator[row] = state["accumulator"][number]


def work(connection, published: Path, folder: Path) -> None:
    """Catch up whenever told, dying at the line that is told too; answer with the bytes of the model."""
    Table.set = set_row_by_row
    copy = ModelCopy(Published(published), CONFIG, SharedModel(str(folder), "app"))
    while (at := connection.recv()) != "end":
        sys.settrace(Killed(*at))
        copy.catch_up()
        sys.settrace(None)
        connection.send(hashlib.sha256(copy.model.to_bytes()).hexdigest())


class Worker:
    """A process."""

    def __init__(self, *folders: Path) -> None:
        self._here, there = FORK.Pipe()
        self._process = FORK.Process(target=work, args=(there, *folders), daemon=True)
        self._process.start()
        there.close()
        self.is_new = True

    def tell(self, at) -> None:
        self._here.send(at)

    def answer(self):
        """None: it was killed."""
        try:
            self.is_new, told = False, self._here.recv()
        except EOFError:
            self._process.join()
            assert self._process.exitcode == -signal.SIGKILL
            return None
        return told

    def end(self) -> None:
        self.tell("end")
        self._process.join()


@pytest.mark.parametrize("seed", range(3))
def test_who_lives_holds_the_bytes_of_a_copy_of_its_own(tmp_path, seed):
    chance, published, folder = random.Random(seed), tmp_path / "published", tmp_path / "shared"
    driver, private = Driver(store=Published(published)), None
    workers = [Worker(published, folder) for _ in range(N_WORKERS)]
    first, killed = driver.model.to_bytes(), Counter()
    for number in range(N_ROUNDS):
        if number % 11 == 7:
            driver.promote(first)
        else:
            driver.step(n_new=90 if number % 5 == 4 else 6)
        if number % 8 == 3:
            driver.snapshot()
        private = private or ModelCopy(driver.store, CONFIG)
        private.catch_up()
        wanted = hashlib.sha256(private.model.to_bytes()).hexdigest()

        for attempt in range(4):  # a task that fails comes again
            doomed = [worker for worker in workers if attempt < 3 and chance.random() < 0.5]
            for worker in workers:
                is_of_sharing = chance.random() < 0.5
                line = chance.randint(1, MOST_LINES[is_of_sharing]) if worker in doomed else 0
                worker.tell((is_of_sharing, line))
            for place, worker in enumerate(workers):
                was_new, told = worker.is_new, worker.answer()
                if told is None:
                    killed[was_new] += 1
                    workers[place] = Worker(published, folder)
                else:
                    assert told == wanted
    for worker in workers:
        worker.end()
    assert private.model.to_bytes() == driver.model.to_bytes()
    assert killed[True] > 2 and killed[False] > 10, "killed too few while loading, or while taking in a step"
    assert len(list((folder / f"liveshelf-{os.getuid()}").iterdir())) <= 3  # arrays, lock, what the last kill left
