"""`python die_with_parent.py PARENT COMMAND…`: become COMMAND, and end when process PARENT does, even by kill -9.

A program of its own rather than a `preexec_fn`: Python code between fork and exec can deadlock in a process with
threads, and a Spark driver has many. Standard library only; where the system is not Linux it just becomes COMMAND.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for SIGTERM at the parent's death, then exec."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # the servers flush their data on SIGTERM
    if os.getppid() != parent:  # it died before we could ask
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
