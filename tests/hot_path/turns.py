"""Tasks that take turns at the store, in an order that a test gives, and that die where it says: no timing, no chance."""

import threading
from collections.abc import Callable, Iterator, Sequence


class Killed(BaseException):
    """A task that was killed: nothing catches it."""


class Turns:
    """Lets one of several tasks make its next step at the store while all others stand still."""

    def __init__(self, choices: Iterator[int], n_steps: int | None = None) -> None:
        self._choices, self._n_steps = choices, n_steps  # after so many steps all are killed
        self._moved = threading.Condition()
        self._waiting: set[int] = set()
        self._next: int | None = None
        self._is_over = False

    def run(self, tasks: Sequence[Callable[[Callable[[], None]], object]]) -> bool:
        """Run `tasks`, each given what it must call before a step; whether all came to their end."""
        alive, errors = set(range(len(tasks))), []

        def run_one(number: int) -> None:
            try:
                tasks[number](lambda: self._wait(number))
            except Killed:
                errors.append(None)
            except BaseException as error:  # told to the test
                errors.append(error)
            with self._moved:
                alive.discard(number)
                self._moved.notify_all()

        threads = [threading.Thread(target=run_one, args=(number,), daemon=True) for number in alive]
        for thread in threads:
            thread.start()
        steps = 0
        with self._moved:
            while True:
                self._moved.wait_for(lambda: self._next is None and self._waiting == alive)
                if not alive:
                    break
                if self._n_steps is not None and steps >= self._n_steps:
                    self._is_over = True
                ready = sorted(self._waiting)
                self._next = ready[next(self._choices, 0) % len(ready)]
                steps += 1
                self._moved.notify_all()
        for thread in threads:
            thread.join()
        for error in errors:
            if error is not None:
                raise error
        return not errors

    def _wait(self, number: int) -> None:
        with self._moved:
            self._waiting.add(number)
            self._moved.notify_all()
            self._moved.wait_for(lambda: self._next == number)
            self._waiting.discard(number)
            self._next = None
            if self._is_over:
                raise Killed


class SteppedStore:
    """A UserStore that waits for its turn before each step."""

    def __init__(self, store, wait: Callable[[], None]) -> None:
        self._store, self._wait = store, wait

    def __getattr__(self, name):
        def step(*args):
            self._wait()
            return getattr(self._store, name)(*args)

        return step
