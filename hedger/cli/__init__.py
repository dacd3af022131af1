"""
The ``hedger`` command.

Modules here parse arguments, ask, and print. Whatever is heavy (settings, SDKs, database,
tables) is imported inside the function that needs it, so that ``hedger --help`` is instant.
"""

import sys


def main() -> None:
    """Run one command and end the process with its exit code (``exit_codes.py``)."""
    if not __debug__:
        sys.stderr.write(
            "hedger: assertions guard the trading code and are switched off; "
            "start Python without -O and unset PYTHONOPTIMIZE\n"
        )
        sys.exit(2)
    from hedger.cli.root import run
    from hedger.common import console

    console.install()
    sys.exit(run(sys.argv[1:]))
