"""How many examples a property is tried with: all in `make test`, few in `make check`, which is to end within a minute."""

import os

FEW = 0.2  # of those that are asked for


def examples(n: int) -> int:
    """Return `n`, or a fifth of it where `LIVESHELF_TEST_EXAMPLES` is `few`; 10 at least, but never more than `n`."""
    if os.environ.get("LIVESHELF_TEST_EXAMPLES") != "few":
        return n
    return min(n, max(10, round(FEW * n)))
