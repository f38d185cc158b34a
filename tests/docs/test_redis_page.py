"""docs/redis.md: the decoder that is shown there reads what is written."""

import re
from pathlib import Path

import numpy as np

from pipelines.features.fold import Interactions, fold
from pipelines.features.joining import linked
from pipelines.features.online import OnlineSums
from pipelines.features.profile import Link, entry_keys
from pipelines.features.profile_bytes import decode, encode
from pipelines.sections import ProfileConfig

PAGE = (Path(__file__).parents[2] / "docs/redis.md").read_text(encoding="utf-8")


def test_the_decoder_for_other_languages_reads_sums_and_ring():
    shown: dict = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], shown)
    n, start_s = 9, 1_570_000_000
    keys = entry_keys(start_s + np.arange(n), np.arange(n).astype(np.uint64), np.full(n, 5))
    batch = Interactions(np.zeros(n, np.int64), keys, np.arange(n).astype(np.uint64), np.arange(n), source=1)
    online = OnlineSums(7, ("a", "b", "c"), np.full((128, 3), 2.0), np.array([1e12, 1e12, 1e12]))
    folded = fold(decode([None]), batch, ProfileConfig(ring_size=4), online)

    with_link = linked(folded.profiles, {0: Link("Ünï", 1)})
    told, of_a_visitor = (shown["read_profile"](encode(p, np.array([0]))[0]) for p in (folded.profiles, with_link))

    assert of_a_visitor == told | {"is_now": "Ünï"} and told["is_now"] is None

    assert (told["n_interactions"], told["as_of_s"], told["features_version"]) == (n, start_s + n - 1, 7)
    np.testing.assert_allclose(told["sums"], [2.0 * n] * 3, rtol=1e-9)
    assert told["ring"] == [{"time_s": start_s + i, "event_type": 5, "item": i} for i in range(5, 9)]
