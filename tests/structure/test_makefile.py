"""`make test` leaves nothing out: neither a test, nor an example of a property."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MARKERS = ("slow", "spark", "servers", "crash", "alone")


def commands(target: str) -> list[str]:
    """What `make TARGET` would run."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("NOT TESTED: make is not installed (apt-get install make)")
    # not what the make that runs these tests was told
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "EXAMPLES")
    }
    run = subprocess.run([make, "-n", target], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def examples(target: str) -> list[str]:
    return [found for line in commands(target) for found in re.findall(r"LIVESHELF_TEST_EXAMPLES=(\w+)", line)]


def selections(target: str) -> list[str]:
    return [found for line in commands(target) for found in re.findall(r'pytest .*-m "(.+)"$', line)]


def test_few_examples_are_for_a_check_and_all_for_a_test():
    assert (examples("check"), examples("test")) == (["few"], ["all"])


def test_each_test_is_in_just_one_of_the_selections():
    expressions = selections("test")
    for n in range(2 ** len(MARKERS)):
        marked = {marker: bool(n >> i & 1) for i, marker in enumerate(MARKERS)}

        chosen = [expression for expression in expressions if eval(expression, {}, dict(marked))]

        assert len(chosen) == 1, marked
