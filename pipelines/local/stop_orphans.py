"""`python -m pipelines.local.stop_orphans`: end servers that a crashed run left behind; refuse while one is in use."""

import sys

from pipelines.errors import ServerError
from pipelines.local import broker, valkey
from pipelines.local.addresses import HOME
from pipelines.local.locks import exclusive
from pipelines.local.processes import clear_the_way


def main() -> int:
    """Return the exit code: 1 when a server belongs to a process that lives."""
    home = HOME.resolve()
    try:
        with exclusive(home / "run" / "lock"):
            for name in (valkey.NAME, broker.NAME):
                clear_the_way(name, home)
    except ServerError as error:
        print(f"liveshelf: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
