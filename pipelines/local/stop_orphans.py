"""`python -m pipelines.local.stop_orphans`: end servers that a crashed run left behind; refuse while one is in use."""

import sys
from pathlib import Path

from pipelines.errors import ServerError
from pipelines.local.addresses import HOME
from pipelines.local.processes import clear_the_way
from pipelines.local.servers import SERVER_NAMES
from pipelines.locks import exclusive


def main() -> int:
    """Return the exit code: 1 when a server belongs to a process that lives."""
    here = HOME.resolve()
    try:
        for home in [here, *here.glob("*/")]:  # the demo has a home of its own in ours
            if (home / "run").is_dir():
                _stop_orphans(home)
    except ServerError as error:
        print(f"liveshelf: {error}", file=sys.stderr)
        return 1
    return 0


def _stop_orphans(home: Path) -> None:
    with exclusive(home / "run" / "lock"):
        for name in SERVER_NAMES:
            clear_the_way(name, home)


if __name__ == "__main__":
    sys.exit(main())
