"""Names of rules, as people type them."""

import difflib
from collections.abc import Collection

from pipelines.errors import InputError


def check_rule_name(name: str, known: Collection[str]) -> None:
    """Raise InputError, with the nearest known name, when there is no rule `name`."""
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    raise InputError(f"no rule '{name}'{hint} `liveshelf rules list` shows them all")
