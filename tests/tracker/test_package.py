"""The minified tracker that is shipped: small, and made of this source."""

import hashlib
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MINIFIED = PROJECT / "pipelines/collecting/static/tracker.min.js"


def test_it_is_below_five_kilobytes():
    assert len(MINIFIED.read_bytes()) < 5_000


def test_it_is_made_of_this_source():
    source = hashlib.sha256((PROJECT / "tracker/tracker.js").read_bytes()).hexdigest()[:10]

    first_line = MINIFIED.read_text(encoding="utf-8").splitlines()[0]
    assert first_line == f"/* Liveshelf, Apache-2.0, {source} */", "tracker/tracker.js was changed: make tracker"


def test_it_is_what_a_fresh_build_gives(tmp_path):
    if not (PROJECT / "tracker/node_modules/terser").is_dir():
        pytest.skip("NOT TESTED against a fresh build: make tracker installs what it needs (node and npm)")
    subprocess.run(["node", "tracker/build.js", str(tmp_path / "fresh.js")], cwd=PROJECT, check=True)

    assert (tmp_path / "fresh.js").read_bytes() == MINIFIED.read_bytes()
